//! See `skep_fuzz::log_record`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::log_record(bytes));

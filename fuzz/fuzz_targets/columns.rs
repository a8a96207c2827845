//! See `skep_fuzz::columns`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::columns(bytes));

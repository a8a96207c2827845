//! See `skep_fuzz::document`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::document(bytes));

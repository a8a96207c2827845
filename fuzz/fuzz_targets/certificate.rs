//! See `skep_fuzz::certificate`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::certificate(bytes));

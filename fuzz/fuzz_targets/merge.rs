//! See `skep_fuzz::merge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::merge(bytes));

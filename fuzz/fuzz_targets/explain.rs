//! See `skep_fuzz::explain`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::explain(bytes));

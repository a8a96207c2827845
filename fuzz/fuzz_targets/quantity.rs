//! See `skep_fuzz::quantity`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::quantity(bytes));

//! See `skep_fuzz::template`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::template(bytes));

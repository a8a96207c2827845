//! See `skep_fuzz::json_patch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::json_patch(bytes));

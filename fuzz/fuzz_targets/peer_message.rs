//! See `skep_fuzz::peer_message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skep_fuzz::peer_message(bytes));

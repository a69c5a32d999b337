//! A connection, whose commands arrive in pieces: answered as if they came at once.

#![no_main]

use corecached::harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| corecached_fuzz::connections::stream(
    bytes,
    harness::stream
));

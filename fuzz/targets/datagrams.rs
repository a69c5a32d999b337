//! Datagrams: each request is answered in a whole message.

#![no_main]

use corecached::harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| corecached_fuzz::connections::datagrams(
    bytes,
    harness::stream,
    harness::datagrams
));

//! Datagrams: each request is answered in a whole message.

#![no_main]

use corecached::unplugged;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| corecached_fuzz::connections::datagrams(
    bytes,
    unplugged::stream,
    unplugged::datagrams
));

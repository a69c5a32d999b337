//! Replies (text), as a client reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| corecached_fuzz::parsers::client::text(bytes));

//! Replies in lines (text and meta), as a client reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| corecached_fuzz::parsers::client::lines(bytes));

//! Requests (meta), as a server reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| corecached_fuzz::parsers::meta::run(bytes));

//! Sessions and their clients in memory, files in a folder of the test.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod client;
mod files;
mod handshake;
mod loading;
mod pair;
mod records;

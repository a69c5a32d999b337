//! Integration tests: the binary and the library against scripted servers and against memcached itself.
//!
//! Tests that need memcached pass with a message where it is not installed.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail tests by panicking too"
)]

mod allocation;
mod bed;
mod cli;
mod commands;
mod honesty;
mod judgements;
mod latency;
mod outputs;
mod protocols;
mod scenarios;
mod search;
mod shards;
mod support;
mod tls;
mod truth;

//! The reactor against real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, not in what they share"
)]

mod accept;
mod close;
mod common;
mod datagram;
mod idle;
mod park;
mod receive;
mod send;

//! The reactor against real sockets, over each of its drivers.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, not in what they share"
)]
#![allow(
    clippy::duplicate_mod,
    reason = "the same tests run over each driver, which they tell by the name of their module"
)]

#[path = "all.rs"]
mod epoll;
#[path = "all.rs"]
mod uring;

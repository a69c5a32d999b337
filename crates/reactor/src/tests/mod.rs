//! Tests that need a kernel which refuses, over each driver. Apart from that they look at the reactor from outside,
//! like the tests in `tests/reactor`.

#![allow(
    clippy::duplicate_mod,
    reason = "the same tests run over each driver, which they tell by the name of their module"
)]

pub(crate) mod faults;

#[path = "all.rs"]
mod epoll;
#[path = "all.rs"]
mod uring;

//! Tests that need a kernel which refuses, over each driver: they look at the reactor from outside otherwise, as those of
//! `tests/reactor`.

#![allow(
    clippy::duplicate_mod,
    reason = "the same tests run over each driver, which they tell by the name of their module"
)]

pub(crate) mod faults;

#[path = "all.rs"]
mod epoll;
#[path = "all.rs"]
mod uring;

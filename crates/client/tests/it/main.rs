//! The client against scripts, and against real servers where there are any.

#![allow(clippy::unwrap_used)]

mod pool;
mod real;
mod scripts;
mod splits;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tokio")]
mod tokio_clients;

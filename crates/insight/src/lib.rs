//! corecached-insight: what the requests of a server say about its keys and its memory.
//!
//! * [`HotKeys`]: the keys that are asked for most, from one request in so many;
//! * [`Estimator`]: the miss ratio that the server would have with less or more memory, from the keys whose hash is in
//!   a small range.
//!
//! No I/O, no clock, no threads, no dependencies: times come in with each call. Memory is bounded, and nothing is
//! allocated after the start except for reports.
//!
//! ```text
//!  every request --> Sampler::wants: a countdown, a comparison with the hash
//!                      | one in a hundred
//!                      +--> HotKeys         counters for 512 keys                  one for each shard
//!                      +--> Sampler, buffer --- later, off the path --> Estimator  one for the process
//!                                                                         five small caches (mrc/cache.rs)
//! ```

#![forbid(unsafe_code)]

mod hot;
mod index;
mod mrc;
mod sampler;

pub use hot::{HotKey, HotKeys, KEY_BYTES_MAX, KeyShare, Shares, merge};
pub use mrc::{Curve, Estimator, FACTORS, Memory, Point, Turn};
pub use sampler::{Access, BUFFERED_MAX, Interval, Kind, Sampler};

//! corecached-eviction: which eviction policy misses least in the same memory.
//!
//! ```text
//! stream     generated requests, from a seed
//!    |
//!    +--> engine      the real engine, one shard, under a limit in bytes
//!    +--> memcached   a real memcached, read through over a Unix socket
//!    +--> model       reference policies over plain lists, with the bytes of items that the engine held
//!    +--> bound       what no cache can avoid, and what one that knows the future would miss
//!    +--> estimate    what `stats mrc` would say of the engine at other sizes, beside the truth
//!    |
//! report     table, CSV and plot of miss ratios
//! ```
//!
//! A stream is served by memcached first: its slab pages and its hash table, as `stats` tells them, are then the limit
//! of the engine, whose index counts inside. The models get the bytes of items that the engine held at the end.

pub mod bound;
pub mod engine;
pub mod estimate;
pub mod memcached;
pub mod model;
pub mod plot;
pub mod report;
pub mod reuse;
pub mod run;
pub mod stream;

//! The same random, half-malformed commands to memcached and to this server: replies must be the same byte for byte.
//!
//! ```text
//!   seed -> corecached_fuzz::streams -> groups of requests, each ended by a marker
//!                                          | cut anywhere, pipelined
//!                     +--------------------+--------------------+
//!                 memcached           ours, 1 shard        ours, 4 shards
//!                     |                    |                    |
//!                     +-- known difference (rules) -- compare --+
//! ```
//!
//! The reference is Debian's memcached 1.6.18, the target 1.6.45: `docs/differences.md` lists what differs. For the
//! text protocol and for meta commands each line has a rule here that says what the old reply to exactly one request is
//! and what the new one, and a rule that nothing needed fails the test. `DIFFERENTIAL_SEED` and `DIFFERENTIAL_STREAMS`
//! choose other and more streams; a failure prints its seed. Not run by a plain `cargo test`, which may find no
//! memcached.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod binary;
mod cas;
mod lines;
mod link;
mod meta;
mod peer;
mod text;

/// What to run.
pub(crate) struct Settings {
    /// Of the first stream; the next ones follow.
    pub(crate) seed: u64,
    /// How many, for each number of shards.
    pub(crate) streams: u64,
}

/// From the environment.
pub(crate) fn settings() -> Settings {
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let settings = Settings {
        seed: number("DIFFERENTIAL_SEED", 1),
        streams: number("DIFFERENTIAL_STREAMS", 400),
    };
    println!("seed {}, {} streams", settings.seed, settings.streams);
    settings
}

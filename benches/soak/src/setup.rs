//! What a round is like: it follows from its seed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Where the server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The options of a round.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) shards: usize,
    pub(crate) memory_mb: usize,
    /// Items are never evicted (`-M`): nothing may vanish.
    pub(crate) keeps_all: bool,
    pub(crate) item_mb: usize,
    pub(crate) unix: bool,
    pub(crate) owners: usize,
    pub(crate) slow_readers: usize,
    pub(crate) quick_readers: usize,
    pub(crate) broken_uploads: usize,
    /// `flush_all` now and then.
    pub(crate) flushes: bool,
    /// `cache_memlimit` up and down.
    pub(crate) changes_limit: bool,
    /// The process is stopped and continued.
    pub(crate) stops: bool,
    /// `stats reset`, after which evictions cannot be compared.
    pub(crate) resets: bool,
}

impl Setup {
    pub(crate) fn of(seed: u64) -> Setup {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
        let shards = one_of(&[1, 2, 3, 4, 16]);
        let memory_mb = one_of(&[24, 64, 64, 128, 512]).max(shards * 4);
        let keeps_all = one_of(&[0, 0, 1]) == 1;
        Setup {
            seed,
            shards,
            memory_mb,
            keeps_all,
            item_mb: one_of(&[1, 1, 2, 8]).min(memory_mb / 2),
            unix: one_of(&[0, 0, 0, 1]) == 1,
            owners: one_of(&[4, 12, 24]),
            slow_readers: one_of(&[0, 8, 60]),
            quick_readers: one_of(&[0, 2, 6]),
            broken_uploads: one_of(&[0, 2, 8]),
            flushes: one_of(&[0, 1]) == 1,
            changes_limit: !keeps_all && one_of(&[0, 0, 1]) == 1,
            stops: one_of(&[0, 0, 1]) == 1,
            resets: one_of(&[0, 0, 1]) == 1,
        }
    }

    /// The server's options but for its address.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec![
            format!("-t{}", self.shards),
            format!("-m{}", self.memory_mb),
            format!("-I{}m", self.item_mb),
            "-c4096".to_owned(),
        ];
        if self.keeps_all {
            options.push("-M".to_owned());
        }
        options
    }

    /// The longest value.
    pub(crate) fn value_bytes_max(&self) -> usize {
        (self.item_mb << 20) - 400
    }

    /// Values that all threads read, and owners write whole.
    pub(crate) const SHARED_KEYS: usize = 64;

    /// A key that all threads read.
    pub(crate) fn shared_key(index: usize) -> String {
        format!("shared{index}")
    }

    /// A TCP address that nobody listens on.
    pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
    }
}

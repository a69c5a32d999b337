//! Draws the next request: get or set, and the number of its key.
//!
//! ```text
//!   uniform   get, set: every key equally often
//!   zipf      get, set: key of rank n in proportion to 1 / n^exponent
//!   hot       get: one key in a share of all gets, else as uniform; set: as uniform
//! ```

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution as _, Zipf};

use crate::args::{Args, Distribution};

/// The key of which `hot` asks most often.
const HOT_KEY: u32 = 0;

/// Draws key numbers and the choice between get and set.
pub(crate) struct Choice {
    rng: SmallRng,
    keys: u32,
    law: Law,
    get_ratio: f64,
}

enum Law {
    Uniform,
    Zipf(Zipf<f64>),
    Hot { share: f64 },
}

impl Choice {
    pub(crate) fn new(args: &Args) -> std::io::Result<Self> {
        let law = match args.distribution {
            Distribution::Uniform => Law::Uniform,
            Distribution::Zipf => Law::Zipf(
                Zipf::new(f64::from(args.keys), args.zipf_exponent)
                    .map_err(std::io::Error::other)?,
            ),
            Distribution::Hot => Law::Hot {
                share: args.hot_share,
            },
        };
        Ok(Self {
            rng: SmallRng::seed_from_u64(args.seed),
            keys: args.keys,
            law,
            get_ratio: args.get_ratio,
        })
    }

    pub(crate) fn is_get(&mut self) -> bool {
        self.rng.random_bool(self.get_ratio)
    }

    /// The key of a get.
    pub(crate) fn key_to_get(&mut self) -> u32 {
        if let Law::Hot { share } = self.law
            && self.rng.random_bool(share)
        {
            return HOT_KEY;
        }
        self.key_to_set()
    }

    /// The key of a set.
    pub(crate) fn key_to_set(&mut self) -> u32 {
        match &self.law {
            Law::Uniform | Law::Hot { .. } => self.rng.random_range(0..self.keys),
            Law::Zipf(zipf) => scatter(zipf.sample(&mut self.rng) as u64 - 1, self.keys),
        }
    }
}

/// Spreads neighbouring ranks over the key space; a prime above every `u32` keeps it one to one.
fn scatter(rank: u64, keys: u32) -> u32 {
    const PRIME: u128 = (1 << 61) - 1;
    (u128::from(rank) * PRIME % u128::from(keys)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn scattering_is_one_to_one() {
        let mut seen = vec![false; 1000];
        for rank in 0..1000 {
            let slot = &mut seen[scatter(rank, 1000) as usize];
            assert!(!*slot);
            *slot = true;
        }
    }

    #[test]
    fn the_hot_key_has_its_share_of_gets_and_none_of_sets() {
        let args = Args::parse_from([
            "compare",
            "--server-pid=1",
            "--keys=100000",
            "--distribution=hot",
            "--hot-share=0.25",
        ]);
        let mut choice = Choice::new(&args).unwrap();
        let draws = 100_000;
        let gets = (0..draws).filter(|_| choice.key_to_get() == HOT_KEY);
        // Five standard deviations of a binomial distribution are 685.
        assert!((24_300..=25_700).contains(&gets.count()));
        let sets = (0..draws).filter(|_| choice.key_to_set() == HOT_KEY);
        assert!(sets.count() < 20);
    }
}

//! Request streams: what is asked for, in which order, and how large it is.
//!
//! A stream is made of layers, each optional: a zipf distribution over a universe of keys, keys that are asked for
//! once, scans over the universe, a hot set that moves, sizes, deadlines and writes. A key always has the same size and
//! the same time to live, derived from its number; order and choice come from the seed.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A get, and on a miss a set: the common way to use a cache.
    ReadThrough,
    /// A set.
    Write,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is done.
    pub op: Op,
    /// Number of the key.
    pub key: u64,
    /// Length of its value.
    pub value_bytes: u32,
    /// Seconds that it lives once it is stored; 0 is for ever.
    pub ttl: u32,
}

/// Lengths of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sizes {
    /// All the same.
    Fixed(u32),
    /// Pareto with shape 1.2, from 40 bytes, cut at 20 kB.
    Pareto,
    /// Log-normal, with a median of 10 kB and a sigma of 1.5, cut at 900 kB: pages and pictures.
    LogNormal,
    /// Up to 100 kB, each as often.
    Uniform,
}

/// How the popular keys change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Motion {
    /// They stay.
    None,
    /// Once in so many requests a new key becomes the most popular one, and the others lose a rank.
    News(u64),
    /// Once in so many requests all keys change their popularity.
    Jumps(u64),
}

/// A stream, for caches of about `items` items.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name in tables.
    pub name: &'static str,
    /// What it shows.
    pub group: Group,
    /// Exponent of the zipf distribution.
    pub zipf: f64,
    /// Share of requests for keys that are never asked for again.
    pub one_hit: f64,
    /// Share of requests that belong to scans.
    pub scan: f64,
    /// Movement of the hot set.
    pub motion: Motion,
    /// Lengths of values.
    pub sizes: Sizes,
    /// So many times fewer requests and keys than the other streams, as its values are larger.
    pub fewer: u64,
    /// Share of keys that have a time to live, of 2 to 20 seconds.
    pub mortal: f64,
    /// Share of requests that are writes.
    pub writes: f64,
}

/// Which goal of the comparison a stream belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Not more misses than memcached.
    Ordinary,
    /// At least a tenth fewer misses than memcached.
    Polluted,
}

const PLAIN: Spec = Spec {
    name: "",
    group: Group::Ordinary,
    zipf: 1.0,
    one_hit: 0.0,
    scan: 0.0,
    motion: Motion::None,
    sizes: Sizes::Fixed(100),
    fewer: 1,
    mortal: 0.0,
    writes: 0.0,
};

const fn zipf(name: &'static str, exponent: f64) -> Spec {
    Spec {
        name,
        zipf: exponent,
        ..PLAIN
    }
}

/// The streams of the comparison.
pub const STREAMS: [Spec; 21] = [
    zipf("zipf 0.7", 0.7),
    zipf("zipf 0.9", 0.9),
    zipf("zipf 1.0", 1.0),
    zipf("zipf 1.1", 1.1),
    zipf("zipf 1.2", 1.2),
    Spec {
        group: Group::Polluted,
        one_hit: 0.2,
        ..zipf("zipf 1.0, 20% once", 1.0)
    },
    Spec {
        group: Group::Polluted,
        one_hit: 0.4,
        ..zipf("zipf 1.0, 40% once", 1.0)
    },
    Spec {
        group: Group::Polluted,
        one_hit: 0.3,
        ..zipf("zipf 0.9, 30% once", 0.9)
    },
    Spec {
        group: Group::Polluted,
        scan: 0.25,
        ..zipf("zipf 1.0, 25% scans", 1.0)
    },
    Spec {
        group: Group::Polluted,
        scan: 0.5,
        ..zipf("zipf 1.1, 50% scans", 1.1)
    },
    Spec {
        motion: Motion::News(20),
        ..zipf("zipf 0.9, news", 0.9)
    },
    Spec {
        motion: Motion::News(5),
        ..zipf("zipf 1.1, fast news", 1.1)
    },
    Spec {
        motion: Motion::Jumps(1_500_000),
        ..zipf("zipf 1.0, jumps", 1.0)
    },
    Spec {
        writes: 0.2,
        ..zipf("zipf 1.0, 20% writes", 1.0)
    },
    Spec {
        sizes: Sizes::Pareto,
        ..zipf("mixed sizes, zipf 0.9", 0.9)
    },
    Spec {
        sizes: Sizes::Pareto,
        mortal: 0.3,
        ..zipf("mixed sizes, TTLs, zipf 1.0", 1.0)
    },
    Spec {
        group: Group::Polluted,
        sizes: Sizes::Pareto,
        one_hit: 0.3,
        ..zipf("mixed sizes, 30% once", 1.0)
    },
    Spec {
        group: Group::Polluted,
        sizes: Sizes::Pareto,
        scan: 0.25,
        ..zipf("mixed sizes, 25% scans", 1.0)
    },
    Spec {
        sizes: Sizes::LogNormal,
        fewer: 50,
        ..zipf("large sizes, log-normal", 0.9)
    },
    Spec {
        sizes: Sizes::Uniform,
        fewer: 50,
        ..zipf("large sizes, uniform", 0.9)
    },
    Spec {
        group: Group::Polluted,
        sizes: Sizes::LogNormal,
        fewer: 50,
        one_hit: 0.3,
        ..zipf("large sizes, 30% once", 1.0)
    },
];

/// Further streams for the estimate of miss ratios.
pub const ESTIMATED: [Spec; 3] = [
    zipf("zipf 0.8", 0.8),
    zipf("zipf 0.99", 0.99),
    zipf("zipf 1.1 alone", 1.1),
];

/// Spreads numbers over 64 bits, one to one (the finaliser of splitmix64).
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Part of [0, 1) that belongs to a key.
fn unit(key: u64, salt: u64) -> f64 {
    (mix(key ^ mix(salt)) >> 11) as f64 / (1u64 << 53) as f64
}

const ONE_HIT_KEYS: u64 = 1 << 40;
const NEWS_KEYS: u64 = 1 << 41;

/// The requests of a stream. Infinite.
#[derive(Debug)]
pub struct Stream {
    spec: Spec,
    rng: SmallRng,
    zipf: Zipf<f64>,
    universe: u64,
    scan_length: u64,
    count: u64,
    one_hits: u64,
    scan_left: u64,
    scan_at: u64,
}

impl Stream {
    /// The stream over `universe` keys; scans are a tenth of it long.
    pub fn new(spec: Spec, universe: u64, seed: u64) -> Self {
        Self {
            spec,
            rng: SmallRng::seed_from_u64(seed),
            zipf: Zipf::new(universe as f64, spec.zipf).expect("a valid exponent"),
            universe,
            scan_length: universe / 10,
            count: 0,
            one_hits: 0,
            scan_left: 0,
            scan_at: 0,
        }
    }

    fn key(&mut self) -> u64 {
        if self.scans() {
            self.scan_at = (self.scan_at + 1) % self.universe;
            return self.scan_at;
        }
        if self.spec.one_hit > 0.0 && self.rng.random_bool(self.spec.one_hit) {
            self.one_hits += 1;
            return ONE_HIT_KEYS + self.one_hits;
        }
        let rank = self.zipf.sample(&mut self.rng) as u64 - 1;
        match self.spec.motion {
            // A stride prime to the universe, so that neighbours in a scan are not neighbours in popularity.
            Motion::None => rank.wrapping_mul(7_368_787) % self.universe,
            Motion::News(interval) => NEWS_KEYS + self.count / interval - rank,
            Motion::Jumps(interval) => {
                let epoch = self.count / interval;
                (rank + epoch * (self.universe / 3)).wrapping_mul(7_368_787) % self.universe
            }
        }
    }

    /// Whether this request is one of a scan. While a scan runs, every second request is.
    fn scans(&mut self) -> bool {
        if self.spec.scan == 0.0 {
            return false;
        }
        if self.scan_left == 0 {
            // As many requests between scans as make up the share.
            let cycle = self.scan_length as f64 / self.spec.scan;
            let start = 1.0 / (cycle - 2.0 * self.scan_length as f64 + 1.0).max(1.0);
            if self.rng.random_bool(start) {
                self.scan_left = self.scan_length;
            }
            return false;
        }
        let scans = self.rng.random_bool(0.5);
        self.scan_left -= u64::from(scans);
        scans
    }

    fn value_bytes(&self, key: u64) -> u32 {
        match self.spec.sizes {
            Sizes::Fixed(bytes) => bytes,
            Sizes::Pareto => {
                let part = 1.0 - unit(key, 1);
                (40.0 * part.powf(-1.0 / 1.2)).min(20_000.0) as u32
            }
            Sizes::LogNormal => {
                // By Box and Muller.
                let angle = std::f64::consts::TAU * unit(key, 4);
                let normal = (-2.0 * (1.0 - unit(key, 1)).ln()).sqrt() * angle.cos();
                (10_000.0 * (1.5 * normal).exp()).min(900_000.0) as u32
            }
            Sizes::Uniform => (100_000.0 * unit(key, 1)) as u32,
        }
    }

    fn ttl(&self, key: u64) -> u32 {
        if unit(key, 2) < self.spec.mortal {
            2 + (unit(key, 3) * 19.0) as u32
        } else {
            0
        }
    }
}

impl Iterator for Stream {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        self.count += 1;
        let key = self.key();
        let write = self.spec.writes > 0.0 && self.rng.random_bool(self.spec.writes);
        Some(Request {
            op: if write { Op::Write } else { Op::ReadThrough },
            key,
            value_bytes: self.value_bytes(key),
            ttl: self.ttl(key),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        for spec in STREAMS {
            let take =
                |seed| -> Vec<Request> { Stream::new(spec, 10_000, seed).take(5000).collect() };
            assert!(take(1) == take(1), "{}", spec.name);
            assert!(take(1) != take(2), "{}", spec.name);
        }
    }

    #[test]
    fn shares_are_what_they_say() {
        for spec in STREAMS {
            let requests: Vec<Request> = Stream::new(spec, 2000, 3).take(100_000).collect();
            let share = |is: &dyn Fn(&Request) -> bool| {
                requests.iter().filter(|request| is(request)).count() as f64 / 100_000.0
            };
            let once = share(&|request| (ONE_HIT_KEYS..NEWS_KEYS - 3000).contains(&request.key));
            assert!((once - spec.one_hit).abs() < 0.02, "{}: {once}", spec.name);
            let writes = share(&|request| request.op == Op::Write);
            assert!(
                (writes - spec.writes).abs() < 0.02,
                "{}: {writes}",
                spec.name
            );
        }
    }

    #[test]
    fn scans_walk_over_the_universe() {
        let mut stream = Stream::new(Spec { scan: 0.5, ..PLAIN }, 1000, 1);
        let mut scanned = HashSet::new();
        let mut scans = 0;
        for _ in 0..20_000 {
            let before = stream.scan_at;
            let key = stream.next().unwrap().key;
            if stream.scan_at != before {
                scanned.insert(key);
                scans += 1;
            }
        }
        assert_eq!(scanned.len(), 1000);
        assert!((8000..12_000).contains(&scans), "{scans}");
    }
}

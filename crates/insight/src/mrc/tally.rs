//! From misses of sampled keys to miss ratios of all of them.
//!
//! ```text
//!                  misses of sampled keys, each for as many as 1 / the sampled part
//!  miss ratio  =   ----------------------------------------------------------------
//!                  all gets of the server, not those of sampled keys
//! ```
//!
//! Whether one of the few very popular keys is sampled changes the number of sampled gets much, but hardly the number
//! of misses. So the gets come from the server's counters ("SHARDS-adj" in the paper).
//!
//! The ratio for the memory that the server has is known: it is measured. What the model says for that size is off
//! by some points where items have many sizes, since the engine shares memory between sizes by their hits. So the
//! ratios of all sizes are shifted by what that one is off, those of larger memory in proportion to what more memory
//! can avoid:
//!
//! ```text
//!  100% ----
//!       \  `.  model                     shift(1) = measured - model(1)
//!        \   `-._   |                    shift(more) = shift(1) * (model(more) - first) / (model(1) - first)
//!  estimate `-.__`'-+..__                first: gets of keys that were not there before, which no memory avoids
//!  first ----------------------
//! ```
//!
//! Each miss is also counted in one of eight groups by its hash: how far these lie apart says how far chance may have
//! led the whole astray.

use super::keys::CACHES;

/// The cache that is as large as the server's.
const PRESENT: usize = 1;
/// Groups of keys.
const GROUPS: usize = 8;

/// Counts since the start or the last reset.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Gets of the server that the samples stand for.
    gets: f64,
    /// Gets of which is not known what other sizes would have done with them.
    unknown: f64,
    /// Gets among the samples.
    pub(super) samples: u64,
    misses: [[f64; GROUPS]; CACHES],
    /// Misses of keys that nothing was known of.
    first: f64,
    /// Gets and misses that the server has counted.
    counted: (u64, u64),
    /// Misses of the server that the samples stand for.
    measured: f64,
}

impl Tally {
    /// Counts what the server has counted. Of the samples of these gets so many were seen, and so many were lost.
    pub(super) fn count(&mut self, (gets, misses): (u64, u64), (seen, lost): (u64, u64)) {
        self.counted.0 += gets;
        self.counted.1 += misses;
        let part = match seen + lost {
            0 => 1.0,
            all => seen as f64 / all as f64,
        };
        self.gets += gets as f64 * part;
        self.measured += misses as f64 * part;
    }

    /// Counts a sampled get that stands for `weight` gets, and which caches would have missed.
    pub(super) fn get(&mut self, hash: u64, weight: f64, missed: [bool; CACHES]) {
        self.samples += 1;
        let group = (hash >> 40) as usize % GROUPS;
        for (misses, missed) in self.misses.iter_mut().zip(missed) {
            misses[group] += if missed { weight } else { 0.0 };
        }
    }

    /// A sampled get of a key with an unknown past.
    pub(super) fn unknown(&mut self, weight: f64) {
        self.unknown += weight;
    }

    /// Gets that the ratios are about.
    pub(super) fn gets(&self) -> f64 {
        (self.gets - self.unknown).max(0.0)
    }

    /// A sampled get of a key that nothing is known of.
    pub(super) fn first(&mut self, weight: f64) {
        self.first += weight;
    }

    /// The miss ratio of a small cache.
    pub(super) fn modelled(&self, cache: usize) -> f64 {
        let misses: f64 = self.misses[cache].iter().sum();
        (misses / self.gets().max(1.0)).min(1.0)
    }

    /// The estimated miss ratio of a size, and how far it may be off by chance: two standard errors.
    pub(super) fn estimate(&self, cache: usize) -> (f64, f64) {
        let gets = self.gets().max(1.0);
        let first = self.first / gets;
        let (here, there) = (self.modelled(PRESENT), self.modelled(cache));
        let avoidable = (here - first).max(0.0);
        let part = match avoidable > 0.0 {
            true => ((there - first) / avoidable).clamp(0.0, 1.0),
            false => 0.0,
        };
        let measured = (self.measured / gets).min(1.0);
        let ratio = match cache {
            PRESENT => measured,
            _ => there + part * (measured - here),
        };
        (ratio.clamp(0.0, 1.0), self.error(cache, part))
    }

    /// Two standard errors of what the samples say of a size beyond `part` of what they say of the present one.
    fn error(&self, cache: usize, part: f64) -> f64 {
        let gets = self.gets().max(1.0);
        let pairs = self.misses[cache].iter().zip(&self.misses[PRESENT]);
        let groups: Vec<f64> = pairs
            .map(|(there, here)| (there - part * here) / gets)
            .collect();
        let mean = groups.iter().sum::<f64>() / GROUPS as f64;
        let squares: f64 = groups.iter().map(|one| (one - mean).powi(2)).sum();
        // The sum of eight groups has eight times the variance of one.
        let variance = squares / (GROUPS - 1) as f64 * GROUPS as f64;
        2.0 * variance.sqrt()
    }

    /// Misses among the gets that the server has counted; `None` if there were none.
    pub(super) fn measured(&self) -> Option<f64> {
        let (gets, misses) = self.counted;
        (gets > 0).then(|| misses as f64 / gets as f64)
    }

    /// Gets that the server has counted.
    pub(super) fn counted_gets(&self) -> u64 {
        self.counted.0
    }
}

//! The workload: the mix of operations, the keys, the sizes and lifetimes of values.
//!
//! [`WorkloadSpec`] holds the options, [`Workload`] the tables built from them once and shared by the workers, and
//! [`Generator`] is one worker's stream of [`Operation`]s. Nothing here knows a protocol or a socket.

pub mod keys;
pub mod mix;
pub mod preset;
pub mod sizes;
pub mod ttl;
pub mod verb;

use keys::{KeyDistribution, KeyFormat, KeyId, KeySampler};
use mix::{Mix, MixSampler};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use sizes::{SizeDistribution, SizeTable};
use std::sync::Arc;
use ttl::TtlDistribution;
use verb::{KeySpace, Verb};

/// Everything that defines a workload.
#[derive(Debug, Clone)]
pub struct WorkloadSpec {
    /// Operations by weight.
    pub mix: Mix,
    /// Number of keys.
    pub keys: u64,
    /// How requests spread over the keys.
    pub key_distribution: KeyDistribution,
    /// The prefix of every key.
    pub key_prefix: String,
    /// Length of every key.
    pub key_bytes: usize,
    /// Sizes of values.
    pub value_size: SizeDistribution,
    /// Lifetimes of items.
    pub ttl: TtlDistribution,
    /// A get that misses is followed by a set.
    pub look_aside: bool,
    /// Check every value that comes back.
    pub verify: bool,
    /// Seed of all random choices.
    pub seed: u64,
}

impl Default for WorkloadSpec {
    fn default() -> Self {
        Self {
            mix: Mix::new(&[(Verb::Get, 90.0), (Verb::Set, 10.0)], 10)
                .expect("the default mix is valid"),
            keys: 100_000,
            key_distribution: KeyDistribution::Zipf { exponent: 0.99 },
            key_prefix: "lg:".to_owned(),
            key_bytes: 24,
            value_size: SizeDistribution::Fixed(100),
            ttl: TtlDistribution::default(),
            look_aside: false,
            verify: true,
            seed: 1,
        }
    }
}

/// A specification with its tables built.
#[derive(Debug)]
pub struct Workload {
    /// The specification that the tables were built from.
    pub spec: WorkloadSpec,
    /// Key numbers to bytes and back.
    pub key_format: KeyFormat,
    /// Keys to value sizes.
    pub sizes: SizeTable,
}

impl Workload {
    /// Checks the specification and builds its tables.
    pub fn new(spec: WorkloadSpec) -> Result<Arc<Self>, String> {
        let key_format = KeyFormat::new(&spec.key_prefix, spec.key_bytes, spec.keys)?;
        let sizes = SizeTable::new(&spec.value_size);
        Ok(Arc::new(Self {
            spec,
            key_format,
            sizes,
        }))
    }

    /// Verbs that may be sent because of another request's reply, beside the verbs of the mix.
    #[must_use]
    pub fn recorded_verbs(&self) -> Vec<Verb> {
        let mix = &self.spec.mix;
        let follows = |verb| match verb {
            Verb::Set => {
                self.spec.look_aside
                    || mix.any(|verb| matches!(verb, Verb::Cas | Verb::Append | Verb::Prepend))
            }
            Verb::Gets => mix.any(|verb| verb == Verb::Cas),
            Verb::Add => mix.any(|verb| verb.key_space() == KeySpace::Counters),
            _ => false,
        };
        Verb::ALL
            .into_iter()
            .filter(|&verb| follows(verb) || mix.any(|mixed| mixed == verb))
            .collect()
    }

    /// The key spaces that must be loaded before a run.
    #[must_use]
    pub fn key_spaces(&self) -> Vec<KeySpace> {
        [KeySpace::Values, KeySpace::Counters, KeySpace::Lists]
            .into_iter()
            .filter(|&space| self.spec.mix.any(|verb| verb.key_space() == space))
            .collect()
    }

    /// The stream of operations of worker `worker` of `workers`.
    pub fn generator(self: &Arc<Self>, worker: usize, workers: usize) -> Result<Generator, String> {
        Ok(Generator {
            keys: KeySampler::new(self.spec.key_distribution, self.spec.keys, worker, workers)?,
            mix: self.spec.mix.sampler(),
            rng: SmallRng::seed_from_u64(
                self.spec.seed ^ (worker as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            ),
            workload: Arc::clone(self),
        })
    }
}

/// An operation: a verb and its (first) key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The verb.
    pub verb: Verb,
    /// The key; for a multi-get the first of its keys.
    pub key: KeyId,
}

/// One worker's endless stream of operations. Drawing one allocates nothing.
#[derive(Debug)]
pub struct Generator {
    workload: Arc<Workload>,
    keys: KeySampler,
    mix: MixSampler,
    rng: SmallRng,
}

impl Generator {
    /// The next operation. A cas begins with its `gets`.
    #[inline]
    pub fn next_operation(&mut self) -> Operation {
        let verb = match self.mix.sample(&mut self.rng) {
            Verb::Cas => Verb::Gets,
            verb => verb,
        };
        Operation {
            verb,
            key: self.keys.sample(&mut self.rng),
        }
    }

    /// Another key, for the rest of a multi-get.
    #[inline]
    pub fn next_key(&mut self) -> KeyId {
        self.keys.sample(&mut self.rng)
    }

    /// The lifetime of the next item written.
    #[inline]
    pub fn next_ttl_s(&mut self) -> u32 {
        self.workload.spec.ttl.sample(&mut self.rng)
    }
}

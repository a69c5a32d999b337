//! How long commands take in the server, by kind and by stage: `stats latency`, and the slow log.
//!
//! ```text
//!   conn/      counts commands, by kind, as it executes them (Tally)                     no clock is read
//!   shard/     reads the clock a few times in a turn, and tells the Meter where the turn is
//!   Meter      one of each shard: commands of a connection, with the marks of their turn   --> buckets
//!   Latency    the buckets of all shards, merged when somebody asks
//! ```
//!
//! Nothing that decides anything reads what is counted here.

mod buckets;
mod meter;
mod slot;
mod tally;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use corecached_engine::Fetch;

use crate::ids::ShardId;
use crate::operation::op::{Change, Verb};

pub(crate) use buckets::Durations;
use buckets::Live;
pub(crate) use meter::{Meter, Place, Slow};
pub(crate) use slot::Facts;
pub(crate) use tally::Tally;

/// A kind of command. Meta and binary commands count as the classic ones that they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `get`, `gets`, `mg`.
    Get,
    /// The six storage commands and `ms`.
    Set,
    /// `delete`, `md`.
    Delete,
    /// `incr`, `decr`, `ma`.
    Arith,
    /// `touch`, `gat`, `gats`.
    Touch,
    /// Everything else, errors too.
    Other,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub(crate) const ALL: [Kind; 6] = [
        Kind::Get,
        Kind::Set,
        Kind::Delete,
        Kind::Arith,
        Kind::Touch,
        Kind::Other,
    ];

    /// The kind of a command with this action on a key.
    #[inline]
    pub(crate) fn of(verb: &Verb<'_>) -> Kind {
        match verb {
            Verb::Get(Fetch::Touch(_)) => Kind::Touch,
            Verb::Get(Fetch::Inspect) => Kind::Other,
            Verb::Get(_) => Kind::Get,
            Verb::Change(change) => match change {
                Change::Store { .. } | Change::Commit { .. } | Change::Refuse { .. } => Kind::Set,
                Change::Delete { .. } => Kind::Delete,
                Change::Arith(_) => Kind::Arith,
                Change::Touch { .. } => Kind::Touch,
            },
        }
    }

    /// The name in statistics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Set => "set",
            Kind::Delete => "delete",
            Kind::Arith => "arith",
            Kind::Touch => "touch",
            Kind::Other => "other",
        }
    }
}

/// A part of the time that a command spends in the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// From the turn that received the command's last byte until its window began.
    Queue,
    /// The window in which it was executed.
    Execution,
    /// Until another shard had replied; only of commands that waited for one.
    OtherShard,
    /// Until the kernel had taken the reply.
    Sending,
    /// All of it.
    Total,
}

impl Stage {
    /// All stages, in the order of their numbers.
    pub(crate) const ALL: [Stage; 5] = [
        Stage::Queue,
        Stage::Execution,
        Stage::OtherShard,
        Stage::Sending,
        Stage::Total,
    ];

    /// The name in statistics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Execution => "execution",
            Stage::OtherShard => "other_shard",
            Stage::Sending => "sending",
            Stage::Total => "total",
        }
    }
}

/// The buckets of one kind on one shard, by stage.
type Stages = [Live; Stage::ALL.len()];

/// Bytes of buckets of one shard that has executed commands of all kinds: some 200 kB. A kind's buckets are there once
/// it has been executed.
pub(crate) const SHARD_BYTES_MAX: usize = Kind::ALL.len() * Stage::ALL.len() * Live::BYTES;
const _: () = assert!(SHARD_BYTES_MAX < 200_000);

/// The buckets of one shard.
#[derive(Debug, Default)]
struct ShardBuckets {
    kinds: [OnceLock<Box<Stages>>; Kind::ALL.len()],
    /// The number of the last reset that the shard has carried out.
    resets: AtomicU64,
    /// Bytes of the shard's meter.
    meter_bytes: AtomicU64,
}

impl ShardBuckets {
    #[inline]
    fn of(&self, kind: Kind) -> &Stages {
        self.kinds[kind as usize].get_or_init(|| Box::new(std::array::from_fn(|_| Live::new())))
    }

    /// Carries out resets that have been asked for since the last call; only the owning shard may do so.
    #[inline]
    fn sync(&self, resets: u64) {
        if self.resets.load(Ordering::Relaxed) != resets {
            self.clear(resets);
        }
    }

    #[cold]
    fn clear(&self, resets: u64) {
        for live in self
            .kinds
            .iter()
            .filter_map(OnceLock::get)
            .flat_map(|kind| kind.iter())
        {
            live.clear();
        }
        // A thread that sees this number sees the zeros, too.
        self.resets.store(resets, Ordering::Release);
    }
}

/// The buckets of all shards.
#[derive(Debug)]
pub(crate) struct Latency {
    shards: Vec<ShardBuckets>,
    /// Number of resets. A shard carries them out when it next has something to do; until then its buckets do not
    /// count.
    resets: AtomicU64,
    is_on: bool,
}

impl Latency {
    /// Empty buckets for `shards` shards; if not `is_on`, nothing is measured.
    pub(crate) fn new(shards: usize, is_on: bool) -> Latency {
        Latency {
            shards: (0..shards).map(|_| ShardBuckets::default()).collect(),
            resets: AtomicU64::new(0),
            is_on,
        }
    }

    /// Whether anything is measured.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Forgets everything that has been counted.
    pub(crate) fn reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of resets so far.
    pub(crate) fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }

    /// Bytes of heap memory of all buckets and meters.
    pub(crate) fn held_bytes(&self) -> u64 {
        let kinds = self.shards.iter().flat_map(|shard| &shard.kinds);
        let kinds = kinds.filter(|kind| kind.get().is_some()).count();
        let meters = self.shards.iter().map(|shard| &shard.meter_bytes);
        let meters: u64 = meters.map(|bytes| bytes.load(Ordering::Relaxed)).sum();
        (kinds * Stage::ALL.len() * Live::BYTES) as u64 + meters
    }

    /// Notes how much memory the meter of a shard has.
    #[inline]
    fn note_meter(&self, shard: ShardId, bytes: usize) {
        let meter_bytes = &self.of(shard).meter_bytes;
        meter_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// The durations of a stage of the commands of a kind, over all shards. Any thread may ask; it costs some
    /// microseconds for each shard. Every command is in [`Stage::Total`] once.
    pub(crate) fn durations(&self, kind: Kind, stage: Stage) -> Durations {
        let resets = self.resets.load(Ordering::Relaxed);
        let mut all = Durations::default();
        for shard in &self.shards {
            if shard.resets.load(Ordering::Acquire) == resets
                && let Some(stages) = shard.kinds[kind as usize].get()
            {
                all.merge(&stages[stage as usize]);
            }
        }
        all
    }

    /// The buckets of one shard, for its meter.
    #[inline]
    fn of(&self, shard: ShardId) -> &ShardBuckets {
        &self.shards[usize::from(shard.0)]
    }

    /// Carries out resets, on the shard that owns the buckets.
    #[inline]
    fn sync(&self, shard: ShardId) {
        self.of(shard).sync(self.resets.load(Ordering::Relaxed));
    }
}

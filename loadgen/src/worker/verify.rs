//! Checks that go beyond a single value: stale reads, hits after a delete or after expiry.
//!
//! A version is the time its write was rendered, so "was acknowledged before this write was sent" can be decided
//! without remembering every write: each worker publishes the render time of its oldest unanswered request, and
//! every write older than the least of these (the watermark) has been acknowledged. A write or delete notes the
//! watermark when it is sent, its barrier. Once it is acknowledged, a request sent later must not bring back a value
//! older than the barrier: that value's write was complete before ours began. All rules are one-sided: a sound server
//! is never accused, concurrent writers included.

use crate::value::{Damage, Mark, Version};
use crate::workload::keys::KeyId;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The violations that a reply can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Violation {
    /// The value of another key.
    WrongKey,
    /// A value whose length is not that of its key.
    WrongLength,
    /// A value with parts of two values.
    Torn,
    /// A value older than an acknowledged newer write.
    Stale,
    /// A value written before an acknowledged delete.
    Deleted,
    /// A value whose lifetime was over.
    Expired,
}

impl Violation {
    /// The number of classes.
    pub const COUNT: usize = 6;

    /// All classes, in the order of their discriminants.
    pub const ALL: [Self; Self::COUNT] = [
        Self::WrongKey,
        Self::WrongLength,
        Self::Torn,
        Self::Stale,
        Self::Deleted,
        Self::Expired,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong key",
            Self::WrongLength => "wrong length",
            Self::Torn => "torn value",
            Self::Stale => "stale value",
            Self::Deleted => "hit after delete",
            Self::Expired => "hit after expiry",
        }
    }
}

impl From<Damage> for Violation {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::WrongKey => Self::WrongKey,
            Damage::WrongLength => Self::WrongLength,
            Damage::Torn => Self::Torn,
        }
    }
}

/// The state that the workers of a run share.
#[derive(Debug)]
pub struct Watermarks {
    oldest_unanswered: Vec<AtomicU64>,
    write_ns_max: AtomicU64,
    /// Set when the phase under way should come to its end: the user interrupted it, or a worker failed.
    pub stop: Arc<AtomicBool>,
    /// Marks values of this process.
    pub run: u32,
}

impl Watermarks {
    /// For `workers` workers.
    #[must_use]
    pub fn new(workers: usize, run: u32) -> Self {
        Self {
            oldest_unanswered: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            write_ns_max: AtomicU64::new(0),
            stop: Arc::default(),
            run,
        }
    }

    /// Publishes a worker's oldest unanswered version and returns the least over all workers.
    pub fn publish(&self, worker: usize, oldest: Version) -> Version {
        self.oldest_unanswered[worker].store(oldest.0, Ordering::Release);
        let least = self
            .oldest_unanswered
            .iter()
            .map(|oldest| oldest.load(Ordering::Acquire))
            .min();
        Version(least.unwrap_or(0))
    }

    /// Notes how long a write took.
    pub fn note_write(&self, ns: u64) {
        if ns > self.write_ns_max.load(Ordering::Relaxed) {
            self.write_ns_max.fetch_max(ns, Ordering::Relaxed);
        }
    }
}

/// The last acknowledged change of a key by this worker.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    key: u64,
    barrier: Version,
    acknowledged_ns: u64,
    deleted: bool,
}

/// log2 of the changes remembered; a newer change of another key may displace an older one.
const CHANGES_BITS: u32 = 13;

/// A change of a key that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// The key.
    pub key: KeyId,
    /// The barrier noted when the change was sent.
    pub barrier: Version,
    /// When the reply to the change came.
    pub at_ns: u64,
    /// Whether the key was deleted.
    pub deleted: bool,
}

/// memcached's clock ticks in whole seconds, on both ends of a lifetime.
const EXPIRY_SLACK_NS: u64 = 2_500_000_000;

/// How many examples of violations are kept in words.
const EXAMPLES_MAX: usize = 5;

/// One worker's judge.
#[derive(Debug)]
pub struct Verifier {
    changes: Vec<Change>,
    /// The watermark: see the module's documentation.
    pub watermark: Version,
    /// Violations by class.
    pub counts: [u64; Violation::COUNT],
    /// The first few violations in words.
    pub examples: Vec<String>,
    check_expiry: bool,
    run: u32,
    realtime_offset_ns: u64,
}

impl Verifier {
    /// A judge for values of the run `run`. `check_expiry` must be off if the workload moves deadlines by touching.
    #[must_use]
    pub fn new(run: u32, realtime_offset_ns: u64, check_expiry: bool) -> Self {
        Self {
            changes: vec![Change::default(); 1 << CHANGES_BITS],
            watermark: Version(0),
            counts: [0; Violation::COUNT],
            examples: Vec::new(),
            check_expiry,
            run,
            realtime_offset_ns,
        }
    }

    /// The barrier of a write with this version that is being sent.
    #[inline]
    #[must_use]
    pub fn barrier(&self, version: Version) -> Version {
        self.watermark.min(version)
    }

    fn slot(key: KeyId) -> usize {
        (key.mix() >> (u64::BITS - CHANGES_BITS)) as usize
    }

    /// Remembers an acknowledged change.
    #[inline]
    pub fn acknowledged(&mut self, change: &Acknowledged) {
        self.changes[Self::slot(change.key)] = Change {
            key: change.key.0,
            barrier: change.barrier,
            acknowledged_ns: change.at_ns,
            deleted: change.deleted,
        };
    }

    /// Judges an undamaged value of `key` that a request sent at `sent_ns` brought back.
    #[inline]
    pub fn judge(&mut self, mark: &Mark, sent_ns: u64, watermarks: &Watermarks) {
        if mark.run != self.run {
            return;
        }
        let change = self.changes[Self::slot(mark.key)];
        if change.key == mark.key.0
            && sent_ns >= change.acknowledged_ns
            && mark.version < change.barrier
        {
            let violation = if change.deleted {
                Violation::Deleted
            } else {
                Violation::Stale
            };
            self.violate(violation, mark.key, Some(mark.version));
        }
        if self.check_expiry && mark.ttl_s > 0 && mark.version < self.watermark {
            let written_ns = mark.version.0.saturating_sub(self.realtime_offset_ns);
            let write_ns_max = watermarks.write_ns_max.load(Ordering::Relaxed);
            let end_ns =
                written_ns + u64::from(mark.ttl_s) * 1_000_000_000 + write_ns_max + EXPIRY_SLACK_NS;
            if sent_ns > end_ns {
                self.violate(Violation::Expired, mark.key, Some(mark.version));
            }
        }
    }

    /// Counts a violation.
    #[cold]
    pub fn violate(&mut self, violation: Violation, key: KeyId, version: Option<Version>) {
        self.violate_with(violation, 1, || {
            let mut words = format!("key number {}", key.0);
            if let Some(version) = version {
                let _ = write!(words, ", version {}", version.0);
            }
            words
        });
    }

    /// Counts `count` violations, of which the first is described by `example`.
    #[cold]
    pub fn violate_with(
        &mut self,
        violation: Violation,
        count: u64,
        example: impl FnOnce() -> String,
    ) {
        self.counts[violation as usize] += count;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples
                .push(format!("{}: {}", violation.name(), example()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(version: u64) -> Mark {
        Mark {
            key: KeyId(9),
            version: Version(version),
            ttl_s: 0,
            run: 1,
        }
    }

    fn verifier_after(deleted: bool) -> Verifier {
        let mut verifier = Verifier::new(1, 0, true);
        verifier.watermark = Version(1_000);
        let barrier = verifier.barrier(Version(2_000));
        verifier.acknowledged(&Acknowledged {
            key: KeyId(9),
            barrier,
            at_ns: 5_000,
            deleted,
        });
        verifier
    }

    #[test]
    fn values_older_than_an_acknowledged_write_are_stale() {
        let watermarks = Watermarks::new(1, 1);
        let mut verifier = verifier_after(false);
        verifier.judge(&mark(900), 6_000, &watermarks);
        assert_eq!(verifier.counts[Violation::Stale as usize], 1);
        let mut verifier = verifier_after(true);
        verifier.judge(&mark(900), 6_000, &watermarks);
        assert_eq!(verifier.counts[Violation::Deleted as usize], 1);
        assert_eq!(verifier.examples.len(), 1);
    }

    #[test]
    fn concurrent_writes_and_earlier_requests_are_not_accused() {
        let watermarks = Watermarks::new(1, 1);
        let mut verifier = verifier_after(false);
        verifier.judge(&mark(1_500), 6_000, &watermarks);
        verifier.judge(&mark(900), 4_000, &watermarks);
        verifier.judge(
            &Mark {
                run: 2,
                ..mark(900)
            },
            6_000,
            &watermarks,
        );
        assert_eq!(verifier.counts, [0; Violation::COUNT]);
    }

    #[test]
    fn expired_hits_are_found_only_beyond_all_slack() {
        let watermarks = Watermarks::new(1, 1);
        let mut verifier = Verifier::new(1, 0, true);
        verifier.watermark = Version(10);
        let short = Mark {
            ttl_s: 1,
            ..mark(5)
        };
        verifier.judge(&short, 3_000_000_000, &watermarks);
        assert_eq!(verifier.counts, [0; Violation::COUNT]);
        verifier.judge(&short, 4_000_000_000, &watermarks);
        assert_eq!(verifier.counts[Violation::Expired as usize], 1);
    }

    #[test]
    fn the_watermark_is_the_least_of_all_workers() {
        let watermarks = Watermarks::new(2, 1);
        assert_eq!(watermarks.publish(0, Version(5)), Version(0));
        assert_eq!(watermarks.publish(1, Version(3)), Version(3));
    }
}

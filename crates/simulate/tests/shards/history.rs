//! What clients have sent and got, and whether one map could have answered so. Nothing is evicted and nothing expires.
//!
//! ```text
//! change  |----------|                            from the request to the reply, or to the first read that has seen it
//! change                   |-------|              after the first one: it hides the first one's value
//! read                                |----|      may not see the first one's value
//! ```
//!
//! An operation is before another if it was answered before the other was sent, or if both are of one connection and it
//! was sent first.

use corecached_simulate::steps;

use crate::client::KEYS;
use crate::counts::Counts;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set,
    Delete,
}

#[derive(Clone, Copy, Debug)]
struct Op {
    client: usize,
    key: usize,
    began: u64,
    /// `None`: not yet.
    ended: Option<u64>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A change, and whether it has done something.
    Change(Change, bool),
    /// A read, and the change whose value it has found.
    Read(Option<usize>),
}

/// All operations, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct History {
    ops: Vec<Op>,
    pub(crate) counts: Counts,
}

impl History {
    fn begin(&mut self, client: usize, key: usize, kind: Kind) -> usize {
        self.ops.push(Op {
            client,
            key,
            began: steps(),
            ended: None,
            kind,
        });
        self.ops.len() - 1
    }

    /// A change is sent; returns its number.
    pub(crate) fn begin_change(&mut self, client: usize, key: usize, change: Change) -> usize {
        self.begin(client, key, Kind::Change(change, true))
    }

    pub(crate) fn end_change(&mut self, number: usize, is_done: bool) {
        let op = &mut self.ops[number];
        op.ended = Some(steps());
        if let Kind::Change(_, done) = &mut op.kind {
            *done = is_done;
        }
    }

    /// A read is sent; returns its number.
    pub(crate) fn begin_read(&mut self, client: usize, key: usize) -> usize {
        self.begin(client, key, Kind::Read(None))
    }

    pub(crate) fn end_read(&mut self, number: usize, found: Option<usize>) {
        let op = &mut self.ops[number];
        (op.ended, op.kind) = (Some(steps()), Kind::Read(found));
    }

    /// Panics unless one map could have answered so. Returns the number of answers.
    pub(crate) fn check(&self) -> usize {
        for key in 0..KEYS {
            self.check_key(key);
        }
        self.ops.len() + self.counts.check()
    }

    fn check_key(&self, key: usize) {
        let of_key = (0..self.ops.len()).filter(|&number| self.ops[number].key == key);
        let (mut changes, mut reads) = (Vec::new(), Vec::new());
        let mut ends: Vec<_> = self
            .ops
            .iter()
            .map(|op| op.ended.expect("all was answered"))
            .collect();
        for number in of_key {
            match self.ops[number].kind {
                Kind::Change(_, true) => changes.push(number),
                Kind::Change(_, false) => {}
                Kind::Read(found) => reads.push((number, found)),
            }
        }
        // A change has taken effect once a read has seen it.
        for &(read, found) in &reads {
            if let Some(change) = found {
                ends[change] = ends[change].min(ends[read]);
            }
        }
        let is_before = |one: usize, other: usize| {
            let (first, second) = (&self.ops[one], &self.ops[other]);
            ends[one] < second.began || first.client == second.client && one < other
        };
        let is_set =
            |change: usize| matches!(self.ops[change].kind, Kind::Change(Change::Set, true));
        for &(read, found) in &reads {
            let context = || format!("key {key}: {:?} found {found:?}", self.ops[read]);
            if let Some(change) = found {
                assert!(
                    changes.contains(&change) && is_set(change),
                    "{}: not of this key, or never stored",
                    context()
                );
                assert!(!is_before(read, change), "{}: not sent yet", context());
                let hides = |&other: &usize| {
                    other != change && is_before(change, other) && is_before(other, read)
                };
                let hidden = changes.iter().copied().find(|other| hides(other));
                assert!(
                    hidden.is_none(),
                    "{}: {:?} was before {:?}",
                    context(),
                    self.ops[change],
                    hidden.map(|by| self.ops[by])
                );
                continue;
            }
            // No item: since a deletion, or since the beginning.
            let is_hidden = |absent: Option<usize>| {
                let follows = |set: usize| absent.is_none_or(|absent| is_before(absent, set));
                changes
                    .iter()
                    .any(|&set| is_set(set) && follows(set) && is_before(set, read))
            };
            let deletions = changes
                .iter()
                .copied()
                .filter(|&change| !is_set(change) && !is_before(read, change));
            let mut since = deletions.map(Some).chain([None]);
            assert!(
                since.any(|absent| !is_hidden(absent)),
                "{}: it was there",
                context()
            );
        }
    }
}

//! The ledger keeps requests whose reply will not come until the phase ends: only then is it known how long each has
//! waited at least.
//!
//! Requests of the same kind that were due close to each other share an entry, which keeps the latest of their times,
//! so that "at least" stays true. When there are many entries, requests farther apart share one.

use crate::record::NoReply;
use crate::workload::verb::Verb;

/// Requests due this close to each other share an entry.
const CLOSE_NS: u64 = 1_000_000;
/// With more entries than this the time that counts as close is doubled: 1 MiB of entries.
const ENTRIES_MAX: usize = 32 * 1024;

/// Requests without a reply, due at nearly the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) verb: Verb,
    pub(crate) reason: NoReply,
    /// When the last of them was due.
    pub(crate) due_ns: u64,
    /// When the last of them was sent; `None` if they were not sent.
    pub(crate) sent_ns: Option<u64>,
    pub(crate) count: u64,
    /// How many of the requests were not counted as due before.
    pub(crate) started: u64,
}

impl Entry {
    fn takes(&self, other: &Self, close_ns: u64) -> bool {
        (self.verb, self.reason, self.sent_ns.is_some())
            == (other.verb, other.reason, other.sent_ns.is_some())
            && self.due_ns.abs_diff(other.due_ns) < close_ns
    }

    fn merge(&mut self, other: &Self) {
        self.due_ns = self.due_ns.max(other.due_ns);
        self.sent_ns = self.sent_ns.max(other.sent_ns);
        self.count += other.count;
        self.started += other.started;
    }
}

/// All entries of a worker.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    /// Where the newest entry of each verb and reason is.
    newest: [[usize; NoReply::COUNT]; Verb::COUNT],
    close_ns: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            newest: [[usize::MAX; NoReply::COUNT]; Verb::COUNT],
            close_ns: CLOSE_NS,
        }
    }
}

impl Ledger {
    /// Notes requests that will have no reply.
    pub(crate) fn note(&mut self, entry: Entry) {
        let newest = &mut self.newest[entry.verb.index()][entry.reason as usize];
        match self.entries.get_mut(*newest) {
            Some(last) if last.takes(&entry, self.close_ns) => last.merge(&entry),
            _ => {
                *newest = self.entries.len();
                self.entries.push(entry);
            }
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.thin();
        }
    }

    /// Merges entries until at most half of the room is taken.
    fn thin(&mut self) {
        while self.entries.len() > ENTRIES_MAX / 2 {
            self.close_ns *= 2;
            let all = std::mem::take(&mut self.entries);
            self.newest = Self::default().newest;
            for entry in all {
                let newest = &mut self.newest[entry.verb.index()][entry.reason as usize];
                match self.entries.get_mut(*newest) {
                    Some(last) if last.takes(&entry, self.close_ns) => last.merge(&entry),
                    _ => {
                        *newest = self.entries.len();
                        self.entries.push(entry);
                    }
                }
            }
        }
    }

    /// Entries of requests due from `due_ns` on.
    pub(crate) fn since(&self, due_ns: u64) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.due_ns >= due_ns)
    }

    /// All entries, leaving none.
    pub(crate) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(self).entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(due_ns: u64) -> Entry {
        Entry {
            verb: Verb::Get,
            reason: NoReply::Lost,
            due_ns,
            sent_ns: Some(due_ns),
            count: 1,
            started: 0,
        }
    }

    #[test]
    fn none_is_forgotten_and_none_waits_longer_than_it_did() {
        let mut ledger = Ledger::default();
        let total = 200_000u64;
        (0..total).for_each(|index| ledger.note(entry(index * CLOSE_NS)));
        let entries = ledger.take();
        assert!(entries.len() < ENTRIES_MAX);
        assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>(), total);
        let mut due = 0;
        for entry in &entries {
            due += entry.count * CLOSE_NS;
            assert_eq!(entry.due_ns, due - CLOSE_NS, "the latest of its requests");
        }
        assert!(ledger.take().is_empty());
    }

    #[test]
    fn verbs_and_reasons_are_kept_apart() {
        let mut ledger = Ledger::default();
        for index in 0..100 {
            ledger.note(entry(index));
            ledger.note(Entry {
                reason: NoReply::Unsent,
                sent_ns: None,
                ..entry(index)
            });
        }
        let counts: Vec<u64> = ledger.take().iter().map(|entry| entry.count).collect();
        assert_eq!(counts, [100, 100]);
    }
}

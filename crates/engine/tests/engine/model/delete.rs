//! Deletes, and the meta protocol's ways to keep an item as stale.

use corecached_engine::{Deadline, Delete, DeleteOutcome, Fetch, Seconds};

use crate::support::hash;

use super::Model;
use super::entry::Entry;

impl Model {
    pub(super) fn delete(&mut self) {
        let key = self.key();
        let expected = self.expected(&key);
        let keeps = self.rng.one_in(2);
        let delete = Delete {
            compare: self.compare(expected.as_ref()),
            stale: keeps && !self.rng.one_in(3),
            empty: (keeps && self.rng.one_in(2)).then(|| self.flags()),
            deadline: self.rng.one_in(3).then(|| self.deadline()),
            new_cas: self.new_cas(),
            ..Delete::default()
        };
        match self
            .engine
            .delete(&key, hash(&key), &delete, Seconds(self.now))
        {
            DeleteOutcome::Deleted => {
                self.hear_of_evictions();
                let entry = expected.expect("deleted");
                assert!(delete.compare.is_none_or(|cas| cas == entry.cas));
                self.map.remove(&key);
                if delete.stale || delete.empty.is_some() {
                    self.kept(key, &delete, entry);
                }
            }
            DeleteOutcome::NotFound => self.is_gone(&key),
            DeleteOutcome::Exists => {
                assert!(delete.compare.is_some());
                assert_ne!(delete.compare, expected.map(|entry| entry.cas));
            }
            DeleteOutcome::OutOfMemory => {
                assert!(delete.stale || delete.empty.is_some());
                self.judge_out_of_memory();
            }
        }
    }

    /// Takes over an item that a delete has kept.
    pub(super) fn kept(&mut self, key: Vec<u8>, delete: &Delete, old: Entry) {
        let now = Seconds(self.now);
        let previous_cas = old.cas;
        let mut entry = match delete.empty {
            Some(flags) => Entry {
                value: Vec::new(),
                flags,
                deadline: delete.deadline.unwrap_or(Deadline::NEVER),
                fetched: Some(false),
                used: self.now,
                ..old
            },
            None => Entry {
                deadline: delete.deadline.unwrap_or(old.deadline),
                ..old
            },
        };
        if entry.deadline.has_passed(now) {
            return;
        }
        entry.stale = delete.stale;
        entry.won = false;
        let hit = self.engine.get(&key, hash(&key), now, Fetch::Quiet);
        entry.cas = hit.expect("an item that is kept").cas();
        self.check_new_cas(delete.new_cas, entry.cas);
        if delete.new_cas.is_none() && self.config.cas_enabled {
            // A client may have given it the cas unique that happens to be the next.
            assert!(delete.stale || entry.cas == previous_cas);
        }
        self.map.insert(key, entry);
    }
}

//! Storage commands, in one piece.

use corecached_engine::{Seconds, Store, StoreMode, StoreOutcome};

use crate::support::hash;

use super::Model;
use super::entry::Entry;

impl Model {
    /// The item that a successful store has made.
    pub(super) fn made(&self, store: &Store<'_>, cas: u64) -> Entry {
        let fresh = Entry {
            value: store.value.to_vec(),
            flags: store.client_flags,
            deadline: store.deadline,
            cas,
            binary_key: store.extras.binary_key,
            stale: false,
            won: false,
            fetched: Some(false),
            used: self.now,
        };
        let joined = |value: Vec<u8>, old: &Entry| Entry {
            value,
            flags: old.flags,
            deadline: old.deadline,
            binary_key: old.binary_key,
            ..fresh.clone()
        };
        let extras = store.extras;
        match (store.mode, self.map.get(store.key)) {
            (StoreMode::Append | StoreMode::Prepend, None) => {
                assert!(extras.create, "nothing to append to");
                fresh
            }
            (StoreMode::Replace | StoreMode::Cas(_), None) => {
                panic!("{:?} stored although the key was never there", store.mode)
            }
            (StoreMode::Append | StoreMode::Prepend, Some(old))
                if extras.compare.is_some_and(|cas| cas != old.cas) =>
            {
                panic!("appended in spite of another cas")
            }
            (StoreMode::Append, Some(old)) => joined([&old.value, store.value].concat(), old),
            (StoreMode::Prepend, Some(old)) => joined([store.value, &old.value].concat(), old),
            (StoreMode::Cas(given), Some(old)) if given != old.cas => {
                assert!(
                    extras.invalidate && given < old.cas,
                    "cas stored over another"
                );
                Entry {
                    deadline: old.deadline,
                    stale: true,
                    won: old.won,
                    ..fresh
                }
            }
            _ => fresh,
        }
    }

    /// Judges the outcome of a store and takes it over.
    pub(super) fn stored(&mut self, store: &Store<'_>, outcome: StoreOutcome) {
        let Store {
            key, mode, extras, ..
        } = *store;
        self.hear_of_evictions_but(if outcome.cas().is_some() { key } else { &[] });
        let expected = self.expected(key);
        let is_joining = matches!(mode, StoreMode::Append | StoreMode::Prepend);
        match outcome {
            StoreOutcome::Stored { cas, value_bytes } => {
                self.check_new_cas(extras.new_cas, cas);
                let entry = self.made(store, cas);
                assert_eq!(value_bytes, entry.value.len());
                self.map.insert(key.to_vec(), entry);
            }
            StoreOutcome::NotStored if mode == StoreMode::Add => {
                let entry = self.map.get_mut(key).expect("add found nothing known");
                entry.used = self.now;
            }
            StoreOutcome::NotStored => {
                assert!(is_joining || mode == StoreMode::Replace);
                if !self.is_too_large_joined(mode, key, store.value, expected.as_ref()) {
                    assert!(!is_joining || !extras.create);
                    self.is_gone(key);
                }
            }
            StoreOutcome::Exists => {
                let old = expected.expect("exists");
                let given = match mode {
                    StoreMode::Cas(given) => given,
                    _ => extras.compare.filter(|_| is_joining).expect("a cas"),
                };
                assert!(given != old.cas || given == 0);
                assert!(is_joining || !extras.invalidate || given >= old.cas || given == 0);
            }
            StoreOutcome::NotFound => {
                assert!(matches!(mode, StoreMode::Cas(_)));
                self.is_gone(key);
            }
            StoreOutcome::TooLarge => {
                assert!(self.too_large(key, store.value.len(), u32::MAX));
                if mode == StoreMode::Set || extras.drops_old {
                    self.map.remove(key);
                }
            }
            StoreOutcome::OutOfMemory => {
                self.judge_out_of_memory();
                if mode == StoreMode::Set || (extras.drops_old && !is_joining) {
                    self.map.remove(key);
                }
            }
        }
    }

    pub(super) fn check_new_cas(&self, wanted: Option<u64>, cas: u64) {
        if !self.config.cas_enabled {
            assert_eq!(cas, 0);
        } else if let Some(wanted) = wanted {
            assert_eq!(cas, wanted);
        }
    }

    /// Whether append or prepend fails because the joined value is too large. The old value then stays.
    pub(super) fn is_too_large_joined(
        &self,
        mode: StoreMode,
        key: &[u8],
        value: &[u8],
        old: Option<&Entry>,
    ) -> bool {
        let joined = |old: &Entry| self.too_large(key, value.len() + old.value.len(), old.flags);
        mode != StoreMode::Replace && old.is_some_and(joined)
    }

    pub(super) fn judge_out_of_memory(&self) {
        let excused =
            !self.config.evictions_enabled || !self.uploads.is_empty() || !self.pins.is_empty();
        assert!(
            excused,
            "out of memory although everything can be evicted: {:?}",
            self.engine.stats()
        );
    }

    pub(super) fn store(&mut self) {
        let (key, value) = (self.key(), self.value());
        let (client_flags, deadline) = (self.flags(), self.deadline());
        let expected = self.expected(&key);
        let mode = self.mode(expected.as_ref());
        let extras = self.extras(expected.as_ref());
        self.settle(&key);
        let store = Store {
            mode,
            key: &key,
            hash: hash(&key),
            client_flags,
            deadline,
            extras,
            value: &value,
        };
        let outcome = self.engine.store(&store, Seconds(self.now));
        self.stored(&store, outcome);
    }
}

//! Lookups, with and without the options of the meta protocol, and pinned values.

use corecached_engine::{
    Create, Deadline, Fetch, Lookup, MetaFetch, Presence, Read, ReadFacts, Recache, Wanted,
};

use crate::support::hash;

use super::entry::Entry;
use super::{Model, Pinned};

impl Model {
    pub(super) fn meta_fetch(&mut self) -> MetaFetch {
        let recache = match self.rng.below(4) {
            0 => Recache::Below(Deadline(self.now + self.rng.below(60) as u32)),
            1 => Recache::Always,
            _ => Recache::Never,
        };
        let create = self.rng.one_in(4).then(|| Create {
            deadline: self.deadline(),
            new_cas: self.new_cas(),
            binary_key: self.rng.one_in(4),
        });
        MetaFetch {
            bump: self.rng.one_in(2),
            deadline: self.rng.one_in(4).then(|| self.deadline()),
            recache,
            create,
        }
    }

    pub(super) fn fetch(&mut self) -> Fetch {
        match self.rng.below(8) {
            0 => Fetch::Touch(self.deadline()),
            1 => Fetch::Quiet,
            2 => Fetch::Inspect,
            3 | 4 => Fetch::Meta(self.meta_fetch()),
            _ => Fetch::Count,
        }
    }

    /// The item that a reader on another thread would find.
    fn read(&mut self, key: &[u8]) -> Option<(ReadFacts, Vec<u8>)> {
        let reader = self.engine.reader()?;
        let mut value = Vec::new();
        let begin = |_: &ReadFacts, _: &mut Vec<u8>| Wanted::Value;
        let now = self.now();
        match reader.read(key, hash(key), now, usize::MAX, &mut value, begin) {
            Read::Hit(facts) => {
                self.reads += 1;
                Some((facts, value))
            }
            Read::Miss => {
                let presence = self.engine.observe(key, hash(key), now).presence;
                assert_eq!(presence, Presence::Absent, "a reader has missed it");
                None
            }
            Read::Ask => None,
        }
    }

    pub(super) fn get(&mut self) {
        let key = self.key();
        let fetch = self.fetch();
        self.expected(&key);
        let read = self.read(&key);
        let pin = self.rng.one_in(20) && self.pins.len() < 4;
        let now = self.now();
        let hit = match self.engine.fetch(&key, hash(&key), now, fetch) {
            Lookup::Hit(hit) => hit,
            Lookup::Miss => {
                assert!(read.is_none(), "a reader has found what is not there");
                return self.missed(&key, fetch);
            }
            Lookup::OutOfMemory(_) => return self.found_no_deadline(&key),
        };
        let value: Vec<u8> = hit.value_chunks().flatten().copied().collect();
        assert_eq!((hit.key(), hit.value_len()), (&key[..], value.len()));
        assert!(hit.single_chunk().is_none_or(|chunk| chunk == value));
        let handle = hit.handle();
        let item_bytes = hit.item_bytes();
        if hit.is_new() {
            let Fetch::Meta(MetaFetch {
                create: Some(create),
                bump,
                ..
            }) = fetch
            else {
                panic!("{fetch:?} created an item");
            };
            assert!(hit.has_won() && !hit.was_won() && !hit.is_stale() && !hit.fetched());
            assert_eq!(hit.idle_seconds(), 0);
            let entry = Entry {
                value: Vec::new(),
                flags: hit.client_flags(),
                deadline: hit.deadline(),
                cas: hit.cas(),
                binary_key: hit.has_binary_key(),
                stale: false,
                won: true,
                fetched: Some(bump),
                used: self.now,
            };
            assert_eq!(
                (entry.flags, entry.deadline, entry.binary_key, value.len()),
                (0, create.deadline, create.binary_key, 0)
            );
            self.check_new_cas(create.new_cas, entry.cas);
            self.is_gone(&key);
            self.map.insert(key, entry);
        } else {
            let entry = self
                .map
                .get_mut(&key)
                .unwrap_or_else(|| panic!("a hit of what is dead or never was"));
            if let Some((facts, read)) = &read {
                assert!(read == &value, "a reader has found another value");
                entry.read(facts, self.now, self.leaps);
                // A deadline may have made the header longer.
                assert!(hit.deadline() != facts.deadline || facts.item_bytes == item_bytes);
            }
            entry.see(&hit, &value, fetch, self.now, self.leaps);
            self.hits += 1;
        }
        if pin {
            let (pin, pinned) = self.engine.pin(handle);
            assert_eq!(pinned.value_bytes, value.len());
            self.pins.push(Pinned { pin, pinned, value });
        }
    }

    pub(super) fn missed(&mut self, key: &[u8], fetch: Fetch) {
        if let Fetch::Meta(meta) = fetch
            && meta.create.is_some()
        {
            self.judge_out_of_memory();
        }
        self.is_gone(key);
    }

    /// Called when there was no memory for a deadline: the item is as it was, but may have been marked.
    pub(super) fn found_no_deadline(&mut self, key: &[u8]) {
        assert!(
            self.config.evictions_enabled,
            "where nothing may be evicted each item has room for a deadline"
        );
        self.judge_out_of_memory();
        self.hear_of_evictions();
        let entry = self.map.get_mut(key).expect("the item is there");
        entry.fetched = None;
        entry.used = u32::MAX;
    }

    pub(super) fn unpin(&mut self) {
        if self.pins.is_empty() {
            return;
        }
        let index = self.rng.below(self.pins.len());
        let pinned = self.pins.swap_remove(index);
        // SAFETY: the item is pinned. Its later pieces are looked for only now, after all the operations since.
        let value: Vec<u8> = unsafe { pinned.pinned.pieces() }
            // SAFETY: the item is pinned and nothing borrows the engine.
            .flat_map(|piece| unsafe { std::slice::from_raw_parts(piece.ptr, piece.len) })
            .copied()
            .collect();
        assert!(value == pinned.value, "a pinned value has changed");
        self.engine.unpin(pinned.pin);
    }
}

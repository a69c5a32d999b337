//! set, add, replace, cas, append and prepend.

use super::Engine;
use super::policy::{Chosen, Policy};
use super::stage::{Addition, Staged};
use crate::api::{Store, StoreMode, StoreOutcome};
use crate::index::Place;
use crate::item::{Fields, State};
use crate::slab::ChunkRef;
use crate::types::{KeyHash, Seconds};

impl Engine {
    /// Stores a whole value.
    pub fn store(&mut self, store: &Store<'_>, now: Seconds) -> StoreOutcome {
        self.clock.advance(now);
        if self.is_too_large(store.key.len(), store.value.len(), store.client_flags) {
            self.refuse_store(store.key, store.hash, store.mode, true, now);
            return StoreOutcome::TooLarge;
        }
        let fields = Fields {
            key: store.key,
            client_flags: store.client_flags,
            deadline: store.deadline,
            cas: 0,
            value_bytes: store.value.len(),
        };
        self.stats.cmd_set += 1;
        let class = self.single_class(&fields);
        let counted = class.unwrap_or(self.items.slabs.sizes.len() as u8 - 1);
        self.classes[usize::from(counted)].cmd_set += 1;
        let outcome = match store.mode {
            StoreMode::Append | StoreMode::Prepend => self.concatenate(
                store.key,
                store.hash,
                store.mode,
                Addition::Bytes(store.value),
            ),
            mode => {
                let found = self.look_up(store.key, store.hash);
                match self.refusal(mode, found) {
                    Some(outcome) => outcome,
                    None => self.put(fields, store.hash, store.value, class, found),
                }
            }
        };
        if outcome == StoreOutcome::OutOfMemory {
            self.refuse_store(store.key, store.hash, store.mode, false, now);
        }
        outcome
    }

    /// Counts a value that is refused without being read, and deletes the item that a set would have replaced.
    pub fn refuse_store(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        mode: StoreMode,
        too_large: bool,
        now: Seconds,
    ) {
        self.clock.advance(now);
        if too_large {
            self.stats.store_too_large += 1;
        } else {
            self.stats.store_no_memory += 1;
        }
        if mode == StoreMode::Set
            && let Some((place, chunk)) = self.find(key, hash)
        {
            self.unlink(place, chunk);
        }
    }

    /// Counts a storage command that got memory.
    pub(super) fn count_set(&mut self, chunk: ChunkRef) {
        self.stats.cmd_set += 1;
        self.class_of(chunk).cmd_set += 1;
    }

    /// Why a store of this mode does not take place where `found` is the live item, if it does not.
    #[inline]
    pub(super) fn refusal(
        &mut self,
        mode: StoreMode,
        found: Option<(Place, ChunkRef)>,
    ) -> Option<StoreOutcome> {
        match (mode, found) {
            (StoreMode::Add, Some((_, chunk))) => {
                self.mark_used(chunk, false);
                Some(StoreOutcome::NotStored)
            }
            (StoreMode::Replace, None) => Some(StoreOutcome::NotStored),
            (StoreMode::Cas(_), None) => {
                self.stats.cas_misses += 1;
                Some(StoreOutcome::NotFound)
            }
            (StoreMode::Cas(cas), Some((_, chunk))) => {
                // Without cas uniques none ever matches.
                if self.items.cas_bytes > 0 && cas == self.items.item(chunk).cas() {
                    self.stats.cas_hits += 1;
                    self.class_of(chunk).cas_hits += 1;
                    None
                } else {
                    self.stats.cas_badval += 1;
                    self.class_of(chunk).cas_badval += 1;
                    Some(StoreOutcome::Exists)
                }
            }
            _ => None,
        }
    }

    /// Stores where `found` is the present item; the size has been checked.
    pub(super) fn put(
        &mut self,
        fields: Fields<'_>,
        hash: KeyHash,
        value: &[u8],
        class: Option<u8>,
        found: Option<(Place, ChunkRef)>,
    ) -> StoreOutcome {
        let Some(class) = class else {
            return self.put_chain(&fields, hash, value);
        };
        if let Some((_, old)) = found
            && self.items.slabs.class_of(old) == class
            && !self.items.head(old).is_chain()
            && !self.is_pinned(old)
        {
            return self.overwrite(fields, old, value);
        }
        if found.is_none() && !self.prepare_index(hash) {
            return StoreOutcome::OutOfMemory;
        }
        let version = self.index.version();
        let Some(chunk) = self.allocate(class) else {
            return StoreOutcome::OutOfMemory;
        };
        let cas = self.next_cas();
        let fields = Fields { cas, ..fields };
        self.write_single(chunk, &fields, value);
        if version == self.index.version() {
            self.link_at(found, chunk, hash);
        } else {
            self.link(chunk, fields.key, hash);
        }
        StoreOutcome::Stored { cas }
    }

    fn write_single(&mut self, chunk: ChunkRef, fields: &Fields<'_>, value: &[u8]) {
        let at = self
            .items
            .write_header(chunk, State::Loose, fields, value.len());
        self.items
            .slabs
            .segment
            .bytes_mut(at, value.len())
            .copy_from_slice(value);
    }

    /// Replaces an item by one of the same class in its chunk.
    fn overwrite(&mut self, fields: Fields<'_>, chunk: ChunkRef, value: &[u8]) -> StoreOutcome {
        // As a use of the item: the eviction hand may be about to pass it.
        let frequency = Chosen::accessed(self.items.head(chunk).frequency());
        let cas = self.next_cas();
        self.note_unlinked(chunk);
        self.write_single(chunk, &Fields { cas, ..fields }, value);
        self.note_linked(chunk, frequency);
        StoreOutcome::Stored { cas }
    }

    fn put_chain(&mut self, fields: &Fields<'_>, hash: KeyHash, value: &[u8]) -> StoreOutcome {
        let Some(mut staged) = self.stage(fields, hash) else {
            return StoreOutcome::OutOfMemory;
        };
        self.staged_write(&mut staged, value);
        self.link_staged(staged, fields.key)
    }

    /// Puts a complete item in the index, in place of a present one if there is one. The index has room.
    pub(super) fn link(&mut self, chunk: ChunkRef, key: &[u8], hash: KeyHash) {
        let found = self.find(key, hash);
        self.link_at(found, chunk, hash);
    }

    fn link_at(&mut self, found: Option<(Place, ChunkRef)>, chunk: ChunkRef, hash: KeyHash) {
        if let Some((place, old)) = found {
            self.note_unlinked(old);
            self.index.replace(&mut self.items.slabs, place, chunk);
            let is_chain = self.items.head(chunk).is_chain();
            self.note_linked(chunk, Chosen::stored(is_chain));
            self.dispose(old);
        } else {
            self.index.insert(&mut self.items.slabs, hash, chunk);
            let is_chain = self.items.head(chunk).is_chain();
            self.note_linked(chunk, Chosen::stored(is_chain));
        }
    }

    /// Appends or prepends to a present item, into a new one with its client flags and deadline.
    pub(super) fn concatenate(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        mode: StoreMode,
        addition: Addition<'_>,
    ) -> StoreOutcome {
        let Some((_, old)) = self.look_up(key, hash) else {
            return StoreOutcome::NotStored;
        };
        let item = self.items.item(old);
        let value_bytes = item.value_bytes() + addition.len();
        let fields = Fields {
            key,
            client_flags: item.client_flags(),
            deadline: item.deadline(),
            cas: 0,
            value_bytes,
        };
        if self.is_too_large(key.len(), value_bytes, fields.client_flags) {
            // As memcached: only a value that is too large by itself is TooLarge.
            self.stats.store_too_large += 1;
            return StoreOutcome::NotStored;
        }
        self.pin_chunks(old);
        let staged = self.stage(&fields, hash);
        let staged = staged.map(|staged| self.join(staged, old, mode, addition));
        self.unpin_chunks(old);
        match staged {
            Some(staged) => self.link_staged(staged, key),
            None => StoreOutcome::OutOfMemory,
        }
    }

    fn join(
        &mut self,
        mut staged: Staged,
        old: ChunkRef,
        mode: StoreMode,
        addition: Addition<'_>,
    ) -> Staged {
        let staged_ref = &mut staged;
        if mode == StoreMode::Append {
            self.staged_copy(staged_ref, old);
        }
        match addition {
            Addition::Bytes(bytes) => self.staged_write(staged_ref, bytes),
            Addition::Item(chunk, _) => self.staged_copy(staged_ref, chunk),
        }
        if mode == StoreMode::Prepend {
            self.staged_copy(staged_ref, old);
        }
        staged
    }
}

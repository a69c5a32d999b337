//! set, add, replace and cas; append and prepend where there is nothing yet.

use crate::api::{Store, StoreExtras, StoreMode, StoreOutcome};
use crate::engine::Engine;
use crate::evict::policy;
use crate::index::Place;
use crate::item::{Fields, Marks, State};
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash, Seconds};

/// Whether a store takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    /// As it was asked for.
    Store,
    /// As a stale item with this deadline and these marks.
    StoreStale(Deadline, Marks),
    /// Not at all.
    Refuse(StoreOutcome),
}

impl Engine {
    /// Stores a whole value.
    pub fn store(&mut self, store: &Store<'_>, now: Seconds) -> StoreOutcome {
        self.clock.advance(now);
        let drops_old = store.mode == StoreMode::Set || store.extras.drops_old;
        if self.is_too_large(store.key.len(), store.value.len(), store.client_flags) {
            self.refuse_store(store.key, store.hash, drops_old, true, now);
            return StoreOutcome::TooLarge;
        }
        let fields = Fields {
            key: store.key,
            client_flags: store.client_flags,
            deadline: store.deadline,
            cas: store.extras.new_cas,
            marks: Marks::NONE.with_binary_key(store.extras.binary_key),
            deadline_room: self.keeps_deadline_room(),
            value_bytes: store.value.len(),
        };
        self.stats.cmd_set += 1;
        let class = self.single_class(&fields);
        let counted = class.unwrap_or(self.items.slabs.sizes.top());
        self.classes[usize::from(counted)].cmd_set += 1;
        let is_joining = matches!(store.mode, StoreMode::Append | StoreMode::Prepend);
        let outcome = if is_joining {
            self.store_joined(store, fields, class)
        } else {
            let found = self.look_up(store.key, store.hash);
            match self.decide(store.mode, &store.extras, found) {
                Decision::Store => self.put(fields, store.hash, store.value, class, found),
                Decision::StoreStale(deadline, marks) => {
                    let fields = Fields {
                        deadline,
                        marks,
                        ..fields
                    };
                    let class = self.single_class(&fields);
                    self.put(fields, store.hash, store.value, class, found)
                }
                Decision::Refuse(outcome) => outcome,
            }
        };
        if outcome == StoreOutcome::OutOfMemory {
            self.refuse_store(store.key, store.hash, drops_old && !is_joining, false, now);
        }
        outcome
    }

    /// append and prepend of a whole value.
    fn store_joined(
        &mut self,
        store: &Store<'_>,
        fields: Fields<'_>,
        class: Option<u8>,
    ) -> StoreOutcome {
        if store.extras.create && self.look_up(store.key, store.hash).is_none() {
            return self.put(fields, store.hash, store.value, class, None);
        }
        self.join_bytes(store)
    }

    /// Counts a value that is refused without being read. `drops_old` deletes the item that it would have replaced.
    pub fn refuse_store(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        drops_old: bool,
        too_large: bool,
        now: Seconds,
    ) {
        self.clock.advance(now);
        if too_large {
            self.stats.store_too_large += 1;
        } else {
            self.stats.store_no_memory += 1;
            // Values that come in pieces are chains, nearly all of them.
            let chains = self.classes.len() - 1;
            self.classes[chains].outofmemory += 1;
        }
        if drops_old && let Some((place, chunk)) = self.find(key, hash) {
            self.unlink(place, chunk);
        }
    }

    /// Counts a storage command that got memory.
    pub(crate) fn count_set(&mut self, chunk: ChunkRef) {
        self.stats.cmd_set += 1;
        self.class_of(chunk).cmd_set += 1;
    }

    /// Whether a store of this mode takes place where `found` is the live item, and how.
    #[inline]
    pub(crate) fn decide(
        &mut self,
        mode: StoreMode,
        extras: &StoreExtras,
        found: Option<(Place, ChunkRef)>,
    ) -> Decision {
        match (mode, found) {
            (StoreMode::Add, Some((_, chunk))) => {
                self.mark_used(chunk, false);
                Decision::Refuse(StoreOutcome::NotStored)
            }
            (StoreMode::Replace, None) => Decision::Refuse(StoreOutcome::NotStored),
            (StoreMode::Cas(_), None) => {
                self.stats.cas_misses += 1;
                Decision::Refuse(StoreOutcome::NotFound)
            }
            (StoreMode::Cas(cas), Some((_, chunk))) => self.decide_cas(cas, extras, chunk),
            _ => Decision::Store,
        }
    }

    fn decide_cas(&mut self, cas: u64, extras: &StoreExtras, chunk: ChunkRef) -> Decision {
        let item = self.items.item(chunk);
        // 0 is no cas unique: without them none ever matches.
        if cas != 0 && cas == item.cas() {
            self.count_cas_hit(chunk);
            Decision::Store
        } else if extras.invalidate && cas != 0 && cas < item.cas() {
            let marks = Marks::NONE
                .with_binary_key(extras.binary_key)
                .with_stale(true)
                .with_won(item.head.marks().is_won());
            Decision::StoreStale(item.deadline(), marks)
        } else {
            self.count_cas_badval(chunk);
            Decision::Refuse(StoreOutcome::Exists)
        }
    }

    pub(crate) fn count_cas_hit(&mut self, chunk: ChunkRef) {
        self.stats.cas_hits += 1;
        self.class_of(chunk).cas_hits += 1;
    }

    pub(crate) fn count_cas_badval(&mut self, chunk: ChunkRef) {
        self.stats.cas_badval += 1;
        self.class_of(chunk).cas_badval += 1;
    }

    /// Stores where `found` is the present item; the size has been checked.
    pub(crate) fn put(
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
            return self.overwrite(fields, hash, old, value);
        }
        self.begin_work();
        if found.is_none() && !self.prepare_index(fields.key, hash) {
            return StoreOutcome::OutOfMemory;
        }
        if found.is_none() {
            self.prepare_probation(class, hash);
        }
        let version = self.index.version();
        let Some(chunk) = self.allocate(class) else {
            return StoreOutcome::OutOfMemory;
        };
        let cas = self.cas_or_next(fields.cas);
        let fields = Fields {
            cas: Some(cas),
            ..fields
        };
        self.write_single(chunk, &fields, value);
        if version == self.index.version() {
            self.link_at(found, chunk, fields.key, hash);
        } else {
            self.link(chunk, fields.key, hash);
        }
        let value_bytes = value.len();
        StoreOutcome::Stored { cas, value_bytes }
    }

    fn write_single(&mut self, chunk: ChunkRef, fields: &Fields<'_>, value: &[u8]) {
        let at = self
            .items
            .write_header(chunk, State::Loose, fields, value.len());
        self.items.slabs.segment.write(at, value);
    }

    /// Replaces an item by one of the same class in its chunk.
    fn overwrite(
        &mut self,
        fields: Fields<'_>,
        hash: KeyHash,
        chunk: ChunkRef,
        value: &[u8],
    ) -> StoreOutcome {
        // As a use of the item: the eviction hand may be about to pass it.
        let frequency = policy::accessed(self.items.head(chunk).frequency());
        let cas = self.cas_or_next(fields.cas);
        self.note_unlinked(chunk);
        let fields = Fields {
            cas: Some(cas),
            ..fields
        };
        let change = self.index.begin_change(hash);
        self.write_single(chunk, &fields, value);
        self.note_linked(chunk, frequency);
        self.index.end_change(change);
        let value_bytes = value.len();
        StoreOutcome::Stored { cas, value_bytes }
    }

    fn put_chain(&mut self, fields: &Fields<'_>, hash: KeyHash, value: &[u8]) -> StoreOutcome {
        let Some(mut staged) = self.stage(fields, hash) else {
            return StoreOutcome::OutOfMemory;
        };
        if !self.staged_write(&mut staged, value) {
            self.abort(staged);
            return StoreOutcome::OutOfMemory;
        }
        self.link_staged(staged, fields.key, fields.cas)
    }

    /// Puts a complete item in the index, in place of a present one if there is one. The index has room.
    pub(crate) fn link(&mut self, chunk: ChunkRef, key: &[u8], hash: KeyHash) {
        let found = self.find(key, hash);
        self.link_at(found, chunk, key, hash);
    }

    fn link_at(
        &mut self,
        found: Option<(Place, ChunkRef)>,
        chunk: ChunkRef,
        key: &[u8],
        hash: KeyHash,
    ) {
        if let Some((place, old)) = found {
            // As a use of the item, wherever its new place is.
            let frequency = policy::accessed(self.items.head(old).frequency());
            self.note_unlinked(old);
            let change = self.index.begin_change(hash);
            self.index.replace(&mut self.items.slabs, place, chunk);
            self.note_linked(chunk, frequency);
            self.index.end_change(change);
            self.dispose(old);
        } else {
            let change = self.index.begin_change(hash);
            self.index.insert(&mut self.items.slabs, hash, key, chunk);
            self.note_linked(chunk, policy::STORED);
            self.index.end_change(change);
            self.enlist(chunk, hash);
            if let Some(class) = self.removed_dead.take() {
                self.stats.reclaimed += 1;
                self.classes[usize::from(class)].reclaimed += 1;
            }
        }
    }
}

//! set, add, replace and cas; append and prepend where there is nothing yet.
//!
//! ```text
//! look_up -> decide -- refuse --> outcome
//!              |
//!              +-- same class, in nobody's way --> overwritten in its chunk
//!              +-- else --> slot, chunk, write, link
//!              '-- too large for a chunk --> a chain (stage/)
//! ```

use super::Seen;
use crate::api::{Store, StoreExtras, StoreMode, StoreOutcome, StoreRefusal};
use crate::contents::Contents;
use crate::effort::Effort;
use crate::engine::Engine;
use crate::item::policy;
use crate::item::{Fields, Marks, State};
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash, Seconds};

/// Whether a store takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    /// The item is stored as requested.
    Store,
    /// The item is stored as a stale one with this deadline and these marks.
    StoreStale(Deadline, Marks),
    /// The item is not stored.
    Refuse(StoreOutcome),
}

impl Engine {
    /// Stores a whole value.
    pub fn store(&mut self, store: &Store<'_>, now: Seconds) -> StoreOutcome {
        self.contents.clock.advance(now);
        let drops_old = store.mode == StoreMode::Set || store.extras.drops_old;
        if self.is_too_large(store.key.len(), store.value.len(), store.client_flags) {
            self.refuse_store(StoreRefusal::TooLarge);
            if drops_old {
                self.drop_old(store.key, store.hash, now);
            }
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
        let class = self.contents.single_class(&fields);
        self.telemetry
            .set(class.unwrap_or(self.contents.items.slabs.sizes.top()));
        let is_joining = matches!(store.mode, StoreMode::Append | StoreMode::Prepend);
        let outcome = if is_joining {
            self.store_joined(store, fields, class)
        } else {
            let seen = self.look_up(store.key, store.hash);
            match self.decide(store.mode, &store.extras, seen) {
                Decision::Store => self.put(fields, store.hash, store.value, class, seen),
                Decision::StoreStale(deadline, marks) => {
                    let fields = Fields {
                        deadline,
                        marks,
                        ..fields
                    };
                    let class = self.contents.single_class(&fields);
                    self.put(fields, store.hash, store.value, class, seen)
                }
                Decision::Refuse(outcome) => outcome,
            }
        };
        if outcome == StoreOutcome::OutOfMemory {
            self.refuse_store(StoreRefusal::OutOfMemory);
            if drops_old && !is_joining {
                self.drop_old(store.key, store.hash, now);
            }
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
        if store.extras.create {
            let seen = self.look_up(store.key, store.hash);
            if seen.live().is_none() {
                return self.put(fields, store.hash, store.value, class, seen);
            }
        }
        self.join_bytes(store)
    }

    /// Counts a value that is refused. If the value would have replaced an item, [`Self::drop_old`] deletes that item.
    #[cold]
    pub fn refuse_store(&mut self, why: StoreRefusal) {
        match why {
            StoreRefusal::TooLarge => self.telemetry.refused_too_large(),
            StoreRefusal::OutOfMemory => {
                self.telemetry.refused_no_memory();
                // Nearly all values that arrive in pieces are chains.
                self.telemetry
                    .out_of_memory(self.contents.items.slabs.sizes.top());
            }
        }
    }

    /// Deletes the item that a refused value would have replaced. That is not counted as a delete.
    #[cold]
    pub fn drop_old(&mut self, key: &[u8], hash: KeyHash, now: Seconds) {
        self.contents.clock.advance(now);
        if let Some((place, chunk)) = self.contents.find(key, hash) {
            self.spending(|engine, effort| engine.contents.unlink(place, chunk, effort));
        }
    }

    /// Whether and how a store of this mode takes place, given what the lookup has seen.
    #[inline]
    pub(crate) fn decide(&mut self, mode: StoreMode, extras: &StoreExtras, seen: Seen) -> Decision {
        match (mode, seen) {
            (StoreMode::Add, Seen::Live(_, chunk)) => {
                self.contents.mark_used(chunk);
                Decision::Refuse(StoreOutcome::NotStored)
            }
            (StoreMode::Cas(cas), Seen::Live(_, chunk)) => self.decide_cas(cas, extras, chunk),
            (_, Seen::Live(..)) | (StoreMode::Set | StoreMode::Add, _) => Decision::Store,
            (StoreMode::Cas(_), _) => {
                self.telemetry.cas_miss();
                Decision::Refuse(StoreOutcome::NotFound)
            }
            (StoreMode::Replace, _) => Decision::Refuse(StoreOutcome::NotStored),
            // There is no item that the value could join: it is stored as it is. The caller has checked that.
            (StoreMode::Append | StoreMode::Prepend, _) => Decision::Store,
        }
    }

    fn decide_cas(&mut self, cas: u64, extras: &StoreExtras, chunk: ChunkRef) -> Decision {
        let item = self.contents.items.item(chunk);
        // 0 is not a cas unique: with cas disabled none ever matches.
        if cas != 0 && cas == item.cas() {
            self.telemetry.cas_hit(self.class_of(chunk));
            Decision::Store
        } else if extras.invalidate && cas != 0 && cas < item.cas() {
            self.telemetry.cas_hit(self.class_of(chunk));
            let marks = Marks::NONE
                .with_binary_key(extras.binary_key)
                .with_stale(true)
                .with_won(item.head.marks().is_won());
            Decision::StoreStale(item.deadline(), marks)
        } else {
            self.telemetry.cas_badval(self.class_of(chunk));
            Decision::Refuse(StoreOutcome::Exists)
        }
    }

    /// Stores the value, given what the lookup has seen. The size has been checked.
    pub(crate) fn put(
        &mut self,
        fields: Fields<'_>,
        hash: KeyHash,
        value: &[u8],
        class: Option<u8>,
        seen: Seen,
    ) -> StoreOutcome {
        let Some(class) = class else {
            return self.spending(|engine, effort| {
                engine.put_chain(&fields, hash, value, seen.dead(), effort)
            });
        };
        if let Seen::Live(_, old) = seen
            && self.class_of(old) == class
            && !self.contents.items.head(old).is_chain()
            && !self.contents.is_pinned(old)
        {
            return self.overwrite(fields, hash, old, value);
        }
        let cas = self
            .spending(|engine, effort| engine.put_anew(fields, hash, value, (class, seen), effort));
        match cas {
            Some(cas) => StoreOutcome::Stored {
                cas,
                value_bytes: value.len(),
            },
            None => StoreOutcome::OutOfMemory,
        }
    }

    /// Stores in a chunk of the class that was free. Returns the cas unique; `None` if there is no memory.
    #[inline]
    fn put_anew(
        &mut self,
        fields: Fields<'_>,
        hash: KeyHash,
        value: &[u8],
        (class, seen): (u8, Seen),
        effort: &mut Effort,
    ) -> Option<u64> {
        let mut memory = self.memory(effort);
        if seen.live().is_none() {
            if !memory.prepare_index(fields.key, hash) {
                return None;
            }
            memory.prepare_probation(class, hash);
        }
        let version = memory.contents.index.version();
        let chunk = memory.allocate(class)?;
        let cas = self.cas.or_next(fields.cas);
        let fields = Fields {
            cas: Some(cas),
            ..fields
        };
        self.contents.write_single(chunk, &fields, value);
        let is_as_seen = version == self.contents.index.version();
        let seen = match is_as_seen {
            true => seen,
            false => self.see_again(fields.key, hash, seen),
        };
        self.link_at(seen, chunk, fields.key, hash, effort);
        Some(cas)
    }

    /// Replaces an item by one of the same class in its chunk.
    fn overwrite(
        &mut self,
        fields: Fields<'_>,
        hash: KeyHash,
        chunk: ChunkRef,
        value: &[u8],
    ) -> StoreOutcome {
        // Counts as a use of the item: the eviction hand may be about to pass it.
        let frequency = policy::accessed(self.contents.items.head(chunk).frequency());
        let cas = self.cas.or_next(fields.cas);
        self.contents.note_unlinked(chunk);
        let fields = Fields {
            cas: Some(cas),
            ..fields
        };
        self.contents.change(hash, |contents| {
            contents.write_single(chunk, &fields, value);
            contents.note_linked(chunk, frequency);
        });
        self.telemetry.stored();
        let value_bytes = value.len();
        StoreOutcome::Stored { cas, value_bytes }
    }

    fn put_chain(
        &mut self,
        fields: &Fields<'_>,
        hash: KeyHash,
        value: &[u8],
        dead: Option<u8>,
        effort: &mut Effort,
    ) -> StoreOutcome {
        let Some(mut staged) = self.stage(fields, hash, effort) else {
            return StoreOutcome::OutOfMemory;
        };
        if !self.staged_write(&mut staged, value, effort) {
            self.give_up(staged, effort);
            return StoreOutcome::OutOfMemory;
        }
        self.link_staged(staged, fields.key, fields.cas, dead, effort)
    }

    /// The result that the lookup would have now. `before` is the result from before other items were evicted.
    fn see_again(&self, key: &[u8], hash: KeyHash, before: Seen) -> Seen {
        match (self.contents.find(key, hash), before) {
            (Some((place, chunk)), _) => Seen::Live(place, chunk),
            (None, Seen::Dead(class)) => Seen::Dead(class),
            (None, _) => Seen::Absent,
        }
    }

    /// Puts a complete item in the index, in place of a present one if there is one. The index has room. `dead` is the
    /// class of the item that the lookup has removed.
    pub(crate) fn link(
        &mut self,
        chunk: ChunkRef,
        key: &[u8],
        hash: KeyHash,
        dead: Option<u8>,
        effort: &mut Effort,
    ) {
        let before = dead.map_or(Seen::Absent, Seen::Dead);
        let seen = self.see_again(key, hash, before);
        self.link_at(seen, chunk, key, hash, effort);
    }

    #[inline]
    fn link_at(
        &mut self,
        seen: Seen,
        chunk: ChunkRef,
        key: &[u8],
        hash: KeyHash,
        effort: &mut Effort,
    ) {
        self.telemetry.stored();
        if let Seen::Live(place, old) = seen {
            // Counts as a use of the item, wherever its new place is.
            let frequency = policy::accessed(self.contents.items.head(old).frequency());
            self.contents.note_unlinked(old);
            self.contents.change(hash, |contents| {
                let slabs = &mut contents.items.slabs;
                contents.index.replace(slabs, place, chunk);
                contents.note_linked(chunk, frequency);
            });
            self.contents.dispose(old, effort);
            return;
        }
        self.contents.change(hash, |contents| {
            let slabs = &mut contents.items.slabs;
            contents.index.insert(slabs, hash, key, chunk);
            contents.note_linked(chunk, policy::STORED);
        });
        self.victims.enlist(&mut self.contents, chunk, hash);
        if let Seen::Dead(class) = seen {
            self.telemetry.stored_in_place_of_dead(class);
        }
    }
}

impl Contents {
    #[inline]
    fn write_single(&mut self, chunk: ChunkRef, fields: &Fields<'_>, value: &[u8]) {
        let items = &mut self.items;
        let at = items.write_header(chunk, State::Loose, fields, value.len());
        items.slabs.segment.write(at, value);
    }
}

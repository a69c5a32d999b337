//! append and prepend: where the addition goes, and which bytes have to be copied for it.
//!
//! ```text
//! present item                        addition                what is copied
//! chain                               bytes, one chunk        the addition (append.rs), one chunk more (prepend.rs)
//! chain                               a staged chain          one chunk of each side at most (splice.rs)
//! one chunk                           a staged chain          that chunk, to the chain's side
//! one chunk                           bytes, one chunk        both
//! ```
//!
//! So the time does not grow with the present value, even while that value is being sent. The header of a chain has
//! room for every field that the item may get later.

use crate::api::{Store, StoreExtras, StoreMode, StoreOutcome};
use crate::effort::Effort;
use crate::engine::Engine;
use crate::item::policy;
use crate::item::{Fields, Marks};
use crate::receiving::Staged;
use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// The bytes that are appended or prepended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Addition<'a> {
    /// Bytes from outside.
    Bytes(&'a [u8]),
    /// The value of a staged item, and its length.
    Item(ChunkRef, usize),
}

impl Addition<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Item(_, len) => *len,
        }
    }
}

/// A present item that will grow.
#[derive(Clone, Copy, Debug)]
struct Target<'a> {
    chunk: ChunkRef,
    /// The fields of the item after that.
    fields: Fields<'a>,
}

impl Engine {
    /// append and prepend of a whole value.
    pub(crate) fn join_bytes(&mut self, store: &Store<'_>) -> StoreOutcome {
        let bytes = store.value;
        let (mode, extras) = (store.mode, &store.extras);
        match self.find_to_join(store.key, store.hash, extras, bytes.len()) {
            Ok(target) => self.spending(|engine, effort| {
                engine.join(target, store.hash, mode, Addition::Bytes(bytes), effort)
            }),
            Err(outcome) => outcome,
        }
    }

    /// append and prepend of a staged value, which is used up.
    pub(crate) fn join_staged(
        &mut self,
        staged: Staged,
        key: &[u8],
        mode: StoreMode,
        extras: &StoreExtras,
    ) -> StoreOutcome {
        let (addition, hash, len) = (staged.first, staged.hash, staged.value_bytes());
        let target = match self.find_to_join(key, hash, extras, len) {
            Ok(target) => target,
            Err(outcome) => {
                self.abort(staged);
                return outcome;
            }
        };
        let is_long = self.contents.single_class(&target.fields).is_none();
        let is_chain = self.contents.items.head(addition).is_chain();
        let outcome = self.spending(|engine, effort| {
            if is_long && is_chain {
                return engine.join_chain(target, staged, mode, effort);
            }
            // The addition is one chunk at most. It is no longer written to, so it can be read while other chunks are
            // staged.
            let addition = Addition::Item(addition, len);
            let outcome = engine.join(target, hash, mode, addition, effort);
            engine.give_up(staged, effort);
            outcome
        });
        if outcome == StoreOutcome::OutOfMemory {
            self.telemetry.refused_no_memory();
        }
        outcome
    }

    /// The item that the addition joins, if there is one and it may grow by `len` bytes.
    fn find_to_join<'k>(
        &mut self,
        key: &'k [u8],
        hash: KeyHash,
        extras: &StoreExtras,
        len: usize,
    ) -> Result<Target<'k>, StoreOutcome> {
        let Some((_, chunk)) = self.look_up(key, hash).live() else {
            return Err(StoreOutcome::NotStored);
        };
        match extras.compare {
            Some(cas) if cas != self.contents.items.item(chunk).cas() => {
                self.telemetry.cas_badval(self.class_of(chunk));
                return Err(StoreOutcome::Exists);
            }
            Some(_) => self.telemetry.cas_hit(self.class_of(chunk)),
            None => {}
        }
        let item = self.contents.items.item(chunk);
        let fields = Fields {
            key,
            client_flags: item.client_flags(),
            deadline: item.deadline(),
            cas: extras.new_cas,
            marks: Marks::NONE.with_binary_key(item.head.marks().has_binary_key()),
            deadline_room: self.keeps_deadline_room(),
            value_bytes: item.value_bytes() + len,
        };
        if self.is_too_large(key.len(), fields.value_bytes, fields.client_flags) {
            // Like memcached: only a value that is too large by itself is `TooLarge`.
            self.telemetry.refused_too_large();
            return Err(StoreOutcome::NotStored);
        }
        Ok(Target { chunk, fields })
    }

    /// Joins bytes from outside, or from one chunk.
    fn join(
        &mut self,
        target: Target<'_>,
        hash: KeyHash,
        mode: StoreMode,
        addition: Addition<'_>,
        effort: &mut Effort,
    ) -> StoreOutcome {
        let Target { chunk: old, fields } = target;
        if self.contents.items.head(old).is_chain() {
            let room = self.contents.room_in_first(old);
            let held = self.contents.hold(old);
            let has_room = match mode {
                StoreMode::Append => {
                    let mut memory = self.memory(effort);
                    memory.append_in_place(old, addition, fields.value_bytes)
                }
                _ => self.memory(effort).prepend_in_place(old, addition, room),
            };
            self.contents.let_go(held, effort);
            return if has_room {
                self.note_grown(old, &fields)
            } else {
                StoreOutcome::OutOfMemory
            };
        }
        let held = self.contents.hold(old);
        let staged = self.stage(&fields, hash, effort);
        let staged =
            staged.and_then(|staged| self.copy_joined(staged, old, mode, addition, effort));
        self.contents.let_go(held, effort);
        match staged {
            Some(staged) => self.link_staged(staged, fields.key, fields.cas, None, effort),
            None => StoreOutcome::OutOfMemory,
        }
    }

    /// Joins a staged chain, whose chunks become the item's.
    fn join_chain(
        &mut self,
        target: Target<'_>,
        added: Staged,
        mode: StoreMode,
        effort: &mut Effort,
    ) -> StoreOutcome {
        let Target { chunk: old, fields } = target;
        let grows = self.contents.items.head(old).is_chain();
        let room = self.contents.room_in_first(old);
        let held = self.contents.hold(old);
        let copy = match grows {
            true => None,
            false => self.stage_part(&fields, added.hash, old, effort),
        };
        let (first, room) = match &copy {
            Some(copy) => (copy.first, self.contents.room_in_first(copy.first)),
            None => (old, room),
        };
        let joined = match mode {
            _ if !grows && copy.is_none() => false,
            StoreMode::Append => {
                self.memory(effort).splice_behind(first, added.first);
                true
            }
            _ => self.memory(effort).splice_before(first, added.first, room),
        };
        self.contents.let_go(held, effort);
        match joined {
            true => self.end_staged(&added),
            false => self.give_up(added, effort),
        }
        match copy {
            Some(copy) if joined => {
                self.contents
                    .items
                    .set_chain_total(first, fields.value_bytes as u32);
                self.link_staged(copy, fields.key, fields.cas, None, effort)
            }
            Some(copy) => {
                self.give_up(copy, effort);
                StoreOutcome::OutOfMemory
            }
            None if joined => self.note_grown(old, &fields),
            None => StoreOutcome::OutOfMemory,
        }
    }

    /// A loose chain for an item with these fields. It holds the value of `old` and has no room behind it.
    fn stage_part(
        &mut self,
        fields: &Fields<'_>,
        hash: KeyHash,
        old: ChunkRef,
        effort: &mut Effort,
    ) -> Option<Staged> {
        let mut staged = self.stage(fields, hash, effort)?;
        if !self.staged_copy(&mut staged, old, effort) {
            self.give_up(staged, effort);
            return None;
        }
        let (last, room) = (staged.last, staged.room);
        let (_, length) = self.contents.items.value_range(last);
        self.contents.items.set_length(last, length - room);
        Some(staged)
    }

    /// Writes the joined value. Frees the staged item if the memory does not suffice.
    fn copy_joined(
        &mut self,
        mut staged: Staged,
        old: ChunkRef,
        mode: StoreMode,
        addition: Addition<'_>,
        effort: &mut Effort,
    ) -> Option<Staged> {
        let to = &mut staged;
        let is_whole = (mode != StoreMode::Append || self.staged_copy(to, old, effort))
            && match addition {
                Addition::Bytes(bytes) => self.staged_write(to, bytes, effort),
                Addition::Item(chunk, _) => self.staged_copy(to, chunk, effort),
            }
            && (mode != StoreMode::Prepend || self.staged_copy(to, old, effort));
        if is_whole {
            return Some(staged);
        }
        self.give_up(staged, effort);
        None
    }

    /// Called when a linked item has become longer in its place. Does the rest as if the item had been stored anew.
    fn note_grown(&mut self, first: ChunkRef, fields: &Fields<'_>) -> StoreOutcome {
        self.contents.note_unlinked(first);
        let value_bytes = fields.value_bytes;
        self.contents
            .items
            .set_chain_total(first, value_bytes as u32);
        let cas = self.cas.or_next(fields.cas);
        self.contents.items.set_cas(first, cas);
        let head = self.contents.items.head(first).with_marks(fields.marks);
        self.contents
            .items
            .set_head(first, head.with_fetched(false));
        let frequency = policy::accessed(head.frequency());
        self.contents.note_linked(first, frequency);
        self.telemetry.stored();
        StoreOutcome::Stored { cas, value_bytes }
    }
}

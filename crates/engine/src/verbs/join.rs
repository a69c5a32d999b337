//! append and prepend: where the addition goes, and what has to be copied for it.
//!
//! ```text
//! present item                        addition                what is copied
//! chain                               bytes, one chunk        the addition (append.rs), one chunk more (prepend.rs)
//! chain                               a staged chain          one chunk of each side at most (splice.rs)
//! one chunk                           a staged chain          that chunk, to the chain's side
//! one chunk                           bytes, one chunk        both
//! ```
//!
//! So the time does not grow with what is there, also while it is sent. A chain's header has room for all that it may come
//! to hold.

use crate::api::{Store, StoreExtras, StoreMode, StoreOutcome};
use crate::engine::Engine;
use crate::evict::policy;
use crate::item::{Fields, Marks};
use crate::slab::ChunkRef;
use crate::stage::staged::Staged;
use crate::types::KeyHash;

/// What is appended or prepended.
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

/// A present item that is to grow.
#[derive(Clone, Copy, Debug)]
struct Target<'a> {
    chunk: ChunkRef,
    /// The item that it will be.
    fields: Fields<'a>,
}

impl Engine {
    /// append and prepend of a whole value.
    pub(crate) fn join_bytes(&mut self, store: &Store<'_>) -> StoreOutcome {
        let bytes = store.value;
        let (mode, extras) = (store.mode, &store.extras);
        match self.find_to_join(store.key, store.hash, extras, bytes.len()) {
            Ok(target) => self.join(target, store.hash, mode, Addition::Bytes(bytes)),
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
        let is_long = self.single_class(&target.fields).is_none();
        let outcome = if is_long && self.items.head(addition).is_chain() {
            self.join_chain(target, staged, mode)
        } else {
            // No more than one chunk. It is no longer written to, so it can be read while others are staged.
            let outcome = self.join(target, hash, mode, Addition::Item(addition, len));
            self.abort(staged);
            outcome
        };
        if outcome == StoreOutcome::OutOfMemory {
            self.stats.store_no_memory += 1;
        }
        outcome
    }

    /// The item to be joined to, if there is one and it may grow by `len` bytes.
    fn find_to_join<'k>(
        &mut self,
        key: &'k [u8],
        hash: KeyHash,
        extras: &StoreExtras,
        len: usize,
    ) -> Result<Target<'k>, StoreOutcome> {
        let Some((_, chunk)) = self.look_up(key, hash) else {
            return Err(StoreOutcome::NotStored);
        };
        match extras.compare {
            Some(cas) if cas != self.items.item(chunk).cas() => {
                self.count_cas_badval(chunk);
                return Err(StoreOutcome::Exists);
            }
            Some(_) => self.count_cas_hit(chunk),
            None => {}
        }
        let item = self.items.item(chunk);
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
            // As memcached: only a value that is too large by itself is TooLarge.
            self.stats.store_too_large += 1;
            return Err(StoreOutcome::NotStored);
        }
        Ok(Target { chunk, fields })
    }

    /// Joins bytes, or what lies in one chunk.
    fn join(
        &mut self,
        target: Target<'_>,
        hash: KeyHash,
        mode: StoreMode,
        addition: Addition<'_>,
    ) -> StoreOutcome {
        let Target { chunk: old, fields } = target;
        let is_sent = self.is_pinned(old);
        if self.items.head(old).is_chain() {
            self.begin_work();
            self.hold(old);
            let has_room = match mode {
                StoreMode::Append => self.append_in_place(old, addition, fields.value_bytes),
                _ => self.prepend_in_place(old, addition, is_sent),
            };
            self.let_go(old);
            return if has_room {
                self.note_grown(old, &fields)
            } else {
                StoreOutcome::OutOfMemory
            };
        }
        self.hold(old);
        let staged = self.stage(&fields, hash);
        let staged = staged.and_then(|staged| self.copy_joined(staged, old, mode, addition));
        self.let_go(old);
        match staged {
            Some(staged) => self.link_staged(staged, fields.key, fields.cas),
            None => StoreOutcome::OutOfMemory,
        }
    }

    /// Joins a staged chain, whose chunks become the item's.
    fn join_chain(&mut self, target: Target<'_>, added: Staged, mode: StoreMode) -> StoreOutcome {
        let Target { chunk: old, fields } = target;
        let grows = self.items.head(old).is_chain();
        let is_sent = grows && self.is_pinned(old);
        self.begin_work();
        self.hold(old);
        let copy = match grows {
            true => None,
            false => self.stage_part(&fields, added.hash, old),
        };
        let first = copy.as_ref().map_or(old, |copy| copy.first);
        let joined = (grows || copy.is_some())
            && match mode {
                StoreMode::Append => self.splice_behind(first, added.first),
                _ => self.splice_before(first, added.first, is_sent),
            };
        self.let_go(old);
        match joined {
            true => self.end_staged(&added),
            false => self.abort(added),
        }
        match copy {
            Some(copy) if joined => {
                self.items.set_chain_total(first, fields.value_bytes as u32);
                self.link_staged(copy, fields.key, fields.cas)
            }
            Some(copy) => {
                self.abort(copy);
                StoreOutcome::OutOfMemory
            }
            None if joined => self.note_grown(old, &fields),
            None => StoreOutcome::OutOfMemory,
        }
    }

    /// A loose chain for an item with these fields that has the value of `old` so far, and no room.
    fn stage_part(&mut self, fields: &Fields<'_>, hash: KeyHash, old: ChunkRef) -> Option<Staged> {
        let mut staged = self.stage(fields, hash)?;
        if !self.staged_copy(&mut staged, old) {
            self.abort(staged);
            return None;
        }
        let (last, room) = (staged.last, staged.room);
        let (_, length) = self.items.value_range(last);
        self.items.set_length(last, length - room);
        Some(staged)
    }

    /// Writes the joined value; frees what it has if the memory does not suffice.
    fn copy_joined(
        &mut self,
        mut staged: Staged,
        old: ChunkRef,
        mode: StoreMode,
        addition: Addition<'_>,
    ) -> Option<Staged> {
        let to = &mut staged;
        let is_whole = (mode != StoreMode::Append || self.staged_copy(to, old))
            && match addition {
                Addition::Bytes(bytes) => self.staged_write(to, bytes),
                Addition::Item(chunk, _) => self.staged_copy(to, chunk),
            }
            && (mode != StoreMode::Prepend || self.staged_copy(to, old));
        if is_whole {
            return Some(staged);
        }
        self.abort(staged);
        None
    }

    /// A linked item has become longer where it is. The rest is as if it had been stored anew.
    fn note_grown(&mut self, first: ChunkRef, fields: &Fields<'_>) -> StoreOutcome {
        self.note_unlinked(first);
        let value_bytes = fields.value_bytes;
        self.items.set_chain_total(first, value_bytes as u32);
        let cas = self.cas_or_next(fields.cas);
        self.items.set_cas(first, cas);
        let head = self.items.head(first).with_marks(fields.marks);
        self.items.set_head(first, head.with_fetched(false));
        let frequency = policy::accessed(head.frequency());
        self.note_linked(first, frequency);
        StoreOutcome::Stored { cas, value_bytes }
    }
}

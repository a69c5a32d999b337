//! A value on its way in, as its holder sees it, and the ticket that may travel in its place.
//!
//! ```text
//! Staged          one value, one holder: committed or aborted once, by the engine that made it
//! StagedTicket    a number for a value left with its engine: copies are harmless, the first one back gets the value
//! ```

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::contents::Contents;
use crate::engine::{Engine, EngineId, next_number};
use crate::pin::RefHasher;
use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// Calls of [`Engine::staged_space`](crate::engine::Engine::staged_space) in a row that may find no memory while pages
/// are being emptied. They are more calls than it takes to empty 16 pages of the smallest chunks, so that patience is
/// only used up where no page can be emptied.
pub(crate) const PATIENCE: u32 = 8192;

/// A value on its way in. Must be given back by [`Engine::commit`](crate::engine::Engine::commit) or
/// [`Engine::abort`](crate::engine::Engine::abort) of the same engine.
#[derive(Debug)]
#[must_use = "a staged value holds memory until it is committed or aborted"]
pub struct Staged {
    pub(crate) engine: EngineId,
    pub(crate) first: ChunkRef,
    pub(crate) hash: KeyHash,
    /// The last chunk, and its room that has no value yet.
    pub(crate) last: ChunkRef,
    pub(crate) room: usize,
    /// Bytes written or handed out.
    pub(crate) written: usize,
    pub(crate) value_bytes: usize,
    pub(crate) patience: u32,
    /// A last chunk that shares its page with chunks of other items.
    pub(crate) tail: ChunkRef,
    /// Bytes of the chunks of the value.
    pub(crate) held_bytes: u64,
}

/// A ticket for a [`Staged`] that was left with its engine. It can be copied into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagedTicket(u64);

/// All values of an engine that are on their way in.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// Bytes of the chunks of these values.
    held_bytes: u64,
    /// The values that were left with the engine, by their tickets.
    left: HashMap<u64, Staged, BuildHasherDefault<RefHasher>>,
}

impl Receiving {
    /// Whether no value is on its way in.
    pub(crate) fn is_empty(&self) -> bool {
        self.held_bytes == 0
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self) {
        self.left.clear();
        self.held_bytes = 0;
    }
}

impl Staged {
    /// Length of the whole value.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Bytes that have been neither written nor handed out yet.
    #[must_use]
    pub fn missing_bytes(&self) -> usize {
        self.value_bytes - self.written
    }

    pub(crate) fn note_written(&mut self, len: usize) {
        self.room -= len;
        self.written += len;
    }
}

impl Engine {
    /// Keeps a value for the first caller that comes with the ticket.
    pub fn leave_staged(&mut self, staged: Staged) -> StagedTicket {
        self.check_owner(&staged);
        let ticket = StagedTicket(next_number());
        self.receiving.left.insert(ticket.0, staged);
        ticket
    }

    /// Gives the value of a ticket back; `None` if it was taken before, or if the ticket is another engine's.
    pub fn take_staged(&mut self, ticket: StagedTicket) -> Option<Staged> {
        self.receiving.left.remove(&ticket.0)
    }

    /// A value of which no bytes have arrived yet. Its first chunk has room for `room` bytes of it.
    pub(crate) fn begin_staged(
        &mut self,
        first: ChunkRef,
        hash: KeyHash,
        room: usize,
        value_bytes: usize,
    ) -> Staged {
        let mut staged = Staged {
            engine: self.id(),
            first,
            hash,
            last: first,
            room,
            written: 0,
            value_bytes,
            patience: PATIENCE,
            tail: ChunkRef::NULL,
            held_bytes: 0,
        };
        self.contents.claim(first);
        self.count_staged(&mut staged, first);
        staged
    }

    /// A chunk is for a value on its way in.
    pub(crate) fn count_staged(&mut self, staged: &mut Staged, chunk: ChunkRef) {
        let slabs = &self.contents.items.slabs;
        let bytes = slabs.sizes.chunk_bytes(slabs.class_of(chunk)) as u64;
        staged.held_bytes += bytes;
        self.receiving.held_bytes += bytes;
    }

    /// Notes that the value is no longer on its way in.
    pub(crate) fn end_staged(&mut self, staged: &Staged) {
        self.check_owner(staged);
        self.contents.pins.note_unguarded();
        self.receiving.held_bytes -= staged.held_bytes;
        self.contents.end_claim(staged.first);
        if !staged.tail.is_null() {
            self.contents.end_claim(staged.tail);
        }
    }

    /// Panics if another engine made the value: its references would name chunks of other items here.
    pub(crate) fn check_owner(&self, staged: &Staged) {
        assert!(
            staged.engine == self.id(),
            "a value is committed or aborted where it was begun"
        );
    }

    /// Whether values on their way in may take the place of items for a value that holds `own_bytes`. Together they get
    /// at most half of the memory that the shard holds, so that other allocations find something to evict; a single
    /// value may need more.
    pub(crate) fn may_evict_for_staged(&self, own_bytes: u64) -> bool {
        let held = self.receiving.held_bytes;
        held == own_bytes || 2 * held < self.contents.items.slabs.held_bytes()
    }
}

impl Contents {
    /// Notes at the page of a chunk that it holds a part of a value on its way in.
    pub(super) fn claim(&mut self, chunk: ChunkRef) {
        self.guard(chunk);
        let id = self.items.slabs.page_of(chunk);
        self.items.slabs.page_mut(id).receiving += 1;
    }

    /// Undoes [`Self::claim`].
    fn end_claim(&mut self, chunk: ChunkRef) {
        self.end_guard(chunk);
        let id = self.items.slabs.page_of(chunk);
        self.items.slabs.page_mut(id).receiving -= 1;
    }
}

//! Keeping count of values on their way in: their memory, the pages that they guard, and those left under a ticket.

use crate::contents::Contents;
use crate::engine::Engine;
use crate::id::next_number;
use crate::receiving::{PATIENCE, Staged, StagedTicket};
use crate::slab::ChunkRef;
use crate::types::KeyHash;

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

//! New deadlines for present items.

use super::Engine;
use crate::api::TouchOutcome;
use crate::item::{Fields, State};
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash, Seconds};

/// Bytes of the deadline field.
const DEADLINE_BYTES: usize = 4;

impl Engine {
    /// Replaces the deadline of an item. Does not change its cas unique.
    ///
    /// `NotFound` also when the deadline needs memory and there is none, which only happens with evictions disabled.
    pub fn touch(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        deadline: Deadline,
        now: Seconds,
    ) -> TouchOutcome {
        self.clock.advance(now);
        let Some((_, chunk)) = self.look_up(key, hash) else {
            self.stats.cmd_touch += 1;
            self.stats.touch_misses += 1;
            return TouchOutcome::NotFound;
        };
        self.mark_used(chunk, true);
        match self.touch_found(key, hash, chunk, deadline) {
            Some(_) => TouchOutcome::Touched,
            None => TouchOutcome::NotFound,
        }
    }

    /// Counts a touch of a present item and gives it the deadline. Returns where the item is now.
    pub(super) fn touch_found(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        chunk: ChunkRef,
        deadline: Deadline,
    ) -> Option<ChunkRef> {
        self.stats.cmd_touch += 1;
        let Some(chunk) = self.give_deadline(key, hash, chunk, deadline) else {
            self.stats.touch_misses += 1;
            return None;
        };
        self.stats.touch_hits += 1;
        self.class_of(chunk).touch_hits += 1;
        Some(chunk)
    }

    /// In place if the item has the field or needs none, else by moving the item to where there is room for it.
    fn give_deadline(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        chunk: ChunkRef,
        deadline: Deadline,
    ) -> Option<ChunkRef> {
        let item = self.items.item(chunk);
        if item.head.has_deadline() {
            self.items.set_deadline(chunk, deadline);
            return Some(chunk);
        }
        if deadline == Deadline::NEVER {
            return Some(chunk);
        }
        let bytes = item.requested_bytes() + DEADLINE_BYTES;
        let fields = Fields {
            key,
            client_flags: item.client_flags(),
            deadline,
            cas: item.cas(),
            value_bytes: item.value_bytes(),
        };
        let before = item.head;
        let class = self
            .items
            .slabs
            .sizes
            .class_for(bytes)
            .expect("chunks of single items have room for a deadline");
        let moves = class != self.items.slabs.class_of(chunk) || self.is_pinned(chunk);
        let (from, len) = self.items.value_range(chunk);
        let target = if moves {
            self.pin_chunks(chunk);
            let target = self.allocate(class);
            self.unpin_chunks(chunk);
            target?
        } else {
            chunk
        };
        let (place, _) = self.find(key, hash).expect("a pinned item is not evicted");
        self.note_unlinked(chunk);
        // The value first: in place, the new header ends where the old value begins.
        let to = self.items.slabs.address(target)
            + before.with_deadline(true).value_at(self.items.cas_bytes);
        self.items.slabs.segment.copy(from, to, len);
        self.items.write_header(target, State::Linked, &fields, len);
        if moves {
            self.index.replace(&mut self.items.slabs, place, target);
            self.dispose(chunk);
        }
        self.note_linked(target, before.frequency());
        self.stats.total_items -= 1;
        let head = self.items.head(target).with_fetched(before.is_fetched());
        self.items.set_head(target, head);
        Some(target)
    }
}

//! New deadlines for present items.

use crate::api::TouchOutcome;
use crate::engine::Engine;
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash, Seconds};

impl Engine {
    /// Replaces the deadline of an item. Does not change its cas unique.
    pub fn touch(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        deadline: Deadline,
        now: Seconds,
    ) -> TouchOutcome {
        self.contents.clock.advance(now);
        let Some((_, chunk)) = self.look_up(key, hash).live() else {
            self.telemetry.touch_miss();
            return TouchOutcome::NotFound;
        };
        self.contents.mark_fetched(chunk);
        match self.touch_found(key, hash, chunk, deadline) {
            Some(_) => TouchOutcome::Touched,
            None => TouchOutcome::OutOfMemory,
        }
    }

    /// Whether items get room for a deadline before they have one. They do where nothing may be evicted, since a touch
    /// has to succeed in a full cache, too.
    pub(crate) fn keeps_deadline_room(&self) -> bool {
        !self.victims.are_allowed()
    }

    /// Counts a touch of a present item and gives it the deadline. Returns where the item is now; `None` if there is no
    /// memory for the deadline, and then the item is as before.
    pub(crate) fn touch_found(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        chunk: ChunkRef,
        deadline: Deadline,
    ) -> Option<ChunkRef> {
        self.telemetry.touch_hit(self.class_of(chunk));
        self.reshape(key, hash, chunk, deadline, None, None)
    }
}

//! New deadlines for present items.

use super::Engine;
use crate::api::TouchOutcome;
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash, Seconds};

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
            self.count_touch_miss();
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
        let Some(chunk) = self.reshape(key, hash, chunk, deadline, None) else {
            self.count_touch_miss();
            return None;
        };
        self.count_touch_hit(chunk);
        Some(chunk)
    }

    #[inline]
    pub(super) fn count_touch_hit(&mut self, chunk: ChunkRef) {
        self.stats.cmd_touch += 1;
        self.stats.touch_hits += 1;
        self.class_of(chunk).touch_hits += 1;
    }

    #[inline]
    pub(super) fn count_touch_miss(&mut self) {
        self.stats.cmd_touch += 1;
        self.stats.touch_misses += 1;
    }
}

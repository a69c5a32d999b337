//! The end of an item: one chunk is freed at once, the chunks of a chain step by step.
//!
//! ```text
//! dying -> first -> first -> null        chains, linked by the field of their length
//!            |
//!          tail, tail, ...               the step frees these, then the first
//! ```

use super::Contents;
use crate::effort::Effort;
use crate::item::State;
use crate::slab::ChunkRef;

/// Chunks of dying chains that one step frees.
pub(crate) const DYING_STEP: usize = 32;
/// Units of work on freeing a chunk of a dying chain: the chunk has to be read, since it names the next one.
const DYING_WORK: u64 = 2;
/// Chunks of dying chains that one step frees at least.
pub(crate) const DYING_MIN: usize = 8;

impl Contents {
    /// Whether there are chains whose chunks are not all free yet.
    #[inline]
    pub(crate) fn has_dying(&self) -> bool {
        !self.dying.is_null()
    }

    /// Frees the memory of an item. A chain is freed step by step: a little now, and the rest as memory is asked for or
    /// by [`Engine::maintain`](crate::Engine::maintain).
    pub(crate) fn free_item(&mut self, chunk: ChunkRef, effort: &mut Effort) {
        let head = self.items.head(chunk);
        if !head.is_chain() {
            self.items.slabs.give(chunk);
            return;
        }
        self.items.set_head(chunk, head.with_state(State::Dying));
        self.items.set_chain_total(chunk, self.dying.0);
        self.dying = chunk;
        self.free_dying_step(DYING_STEP, effort);
    }

    /// Frees up to `chunks` chunks of dying chains, fewer if the call has done much already.
    pub(crate) fn free_dying_step(&mut self, chunks: usize, effort: &mut Effort) {
        let affordable = (effort.left() / DYING_WORK) as usize;
        self.free_dying(chunks.min(affordable.max(DYING_MIN)), effort);
    }

    /// Frees up to `chunks` chunks of dying chains.
    pub(crate) fn free_dying(&mut self, chunks: usize, effort: &mut Effort) {
        for _ in 0..chunks {
            if self.dying.is_null() {
                return;
            }
            effort.spend(DYING_WORK);
            let first = self.dying;
            let tail = self.items.chain_next(first);
            if tail.is_null() {
                self.dying = ChunkRef(self.items.chain_total(first));
                self.items.slabs.give(first);
                continue;
            }
            let next = self.items.tail_next(tail);
            if !next.is_null() && self.items.tail_first(next) == tail {
                // A chunk that other chunks name is freed after them.
                let behind = self.items.tail_next(next);
                self.items.set_tail_next(tail, behind);
                self.items.slabs.give(next);
            } else {
                self.items.set_chain_next(first, next);
                self.items.slabs.give(tail);
            }
        }
    }
}

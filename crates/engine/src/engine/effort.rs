//! How much one call may do.
//!
//! Work is counted in units of some 100 ns, which is a cache miss or two:
//!
//! | unit | of |
//! | --- | --- |
//! | 1 | a chunk looked at; an item taken out of the index; a chunk of a chain stepped over |
//! | 2 | a chunk of a dead chain freed: the next is only known when it has been read |
//! | 1/8 | a slot of the index moved; three times that where the item has to be looked at |
//! | 1 | a KiB copied, or given back to the kernel |
//!
//! The count is the same in every run, so a bound on it can be tested on any machine. What a call has to do comes first;
//! what it does for later calls (emptying a page, freeing chains, comparing pages) ends when [`CALL_WORK`] is spent, and
//! goes on with the next call.

use super::Engine;

/// Units that one call spends on what could also be done later.
pub(super) const CALL_WORK: u64 = 400;
/// Units in a slot of the index, as a shift.
const SLOTS_SHIFT: u32 = 3;
/// Bytes copied or given back for one unit.
const BYTES_PER_UNIT: usize = 1 << 10;

impl Engine {
    /// Units of work done so far.
    #[inline]
    pub(super) fn work(&self) -> u64 {
        self.stats.work + (self.index.moved_slots() >> SLOTS_SHIFT)
    }

    /// A call begins that may take memory.
    #[inline]
    pub(super) fn begin_work(&mut self) {
        self.work_begun = self.work();
    }

    /// What the call under way may still spend on what could wait.
    #[inline]
    pub(super) fn work_left(&self) -> u64 {
        (self.work_begun + CALL_WORK).saturating_sub(self.work())
    }

    /// Counts bytes that are copied or given back.
    #[inline]
    pub(super) fn count_bytes(&mut self, bytes: usize) {
        self.stats.work += (bytes / BYTES_PER_UNIT) as u64;
    }
}

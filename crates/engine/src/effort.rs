//! How much one call may do.
//!
//! Work is counted in units of some 100 ns, which is a cache miss or two; in a cache of many GB, where the processor has
//! to walk the page tables for each, 300 to 600:
//!
//! | unit | of |
//! | --- | --- |
//! | 1 | a chunk looked at; an item taken out of the index; an item moved; a chunk of a chain stepped over |
//! | 2 | a chunk of a dead chain freed: the next is only known when it has been read |
//! | 1/2 | an entry of a queue taken out, and its item looked at |
//! | 1/4 | a chunk looked at by the eviction hand, which asks for memory ahead |
//! | 1/8 | a slot of the index moved; three times that where the item has to be looked at |
//! | 1 | a KiB copied; 2 KiB given back to the kernel |
//!
//! The count is the same in every run, so a bound on it can be tested on any machine. What a call has to do comes first;
//! what it does for later calls (emptying a page, freeing chains, comparing pages) ends when [`CALL_WORK`] is spent, and
//! goes on with the next call.

/// Units that one call spends on what could also be done later: with what it has begun then, and what has to be done in any
/// case, below 100 us in a cache of 50,000,000 items.
pub(crate) const CALL_WORK: u64 = 110;
/// Units after which a walk that removes what is dead ends its call: it goes through memory in its order, where the caches
/// help, and removals make the index shrink.
pub(crate) const WALK_WORK: u64 = 160;
/// Slots of the index for one unit, as a shift.
const SLOTS_SHIFT: u32 = 3;
/// Bytes of a value that are stored in one call; larger ones come by [`Engine::staged_space`](crate::Engine::staged_space)
/// from the network.
const AT_ONCE_BYTES: usize = 64 << 10;
/// Bytes copied for one unit, and given back.
const COPIED_PER_UNIT: usize = 1 << 10;
const DISCARDED_PER_UNIT: usize = 2 << 10;

/// What one call has done, and what it may still do. Each call has its own.
#[derive(Debug)]
pub(crate) struct Effort {
    units: u64,
    /// Slots moved, with those that did not make up a unit when the call began.
    slots: u64,
    /// What was spent when the present share of [`CALL_WORK`] began.
    begun: u64,
}

impl Effort {
    /// Of a call that begins when so many slots of the index have been moved ever.
    #[inline]
    pub(crate) fn new(moved_slots: u64) -> Self {
        Self {
            units: 0,
            slots: moved_slots % (1 << SLOTS_SHIFT),
            begun: 0,
        }
    }

    /// Units of work done so far.
    #[inline]
    pub(crate) fn spent(&self) -> u64 {
        self.units + (self.slots >> SLOTS_SHIFT)
    }

    /// What may still be spent on what could wait.
    #[inline]
    pub(crate) fn left(&self) -> u64 {
        (self.begun + CALL_WORK).saturating_sub(self.spent())
    }

    /// Work that could also be done later gets [`CALL_WORK`] again, whatever was done before.
    #[inline]
    pub(crate) fn begin_anew(&mut self) {
        self.begun = self.spent();
    }

    /// Another chunk is needed for a value that is stored at once, behind so many bytes: those of a larger value than such
    /// a one should be are a call each.
    #[inline]
    pub(crate) fn begin_chunk(&mut self, written: usize) {
        if written >= AT_ONCE_BYTES {
            self.begin_anew();
        }
    }

    /// Counts units.
    #[inline]
    pub(crate) fn spend(&mut self, units: u64) {
        self.units += units;
    }

    /// Counts slots of the index that were moved.
    #[inline]
    pub(crate) fn spend_slots(&mut self, slots: u64) {
        self.slots += slots;
    }

    /// Counts bytes that are copied.
    #[inline]
    pub(crate) fn spend_copied(&mut self, bytes: usize) {
        self.units += (bytes / COPIED_PER_UNIT) as u64;
    }

    /// Counts bytes that are given back to the kernel.
    pub(crate) fn spend_discarded(&mut self, bytes: usize) {
        self.units += (bytes / DISCARDED_PER_UNIT) as u64;
    }
}

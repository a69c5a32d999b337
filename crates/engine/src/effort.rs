//! How much one call may do.
//!
//! Work is counted in units of some 100 ns, which is a cache miss or two; in a cache of many GB, where the processor
//! has to walk the page tables for each, 300 to 600:
//!
//! | unit | of |
//! | --- | --- |
//! | 1 | a chunk looked at; an item taken out of the index; an item moved; a chunk of a chain stepped over |
//! | 2 | a chunk of a dead chain freed: the next is only known when it has been read |
//! | 1/2 | an entry of a queue taken out, and its item looked at |
//! | 1/4 | a chunk looked at by the eviction hand, which prefetches chunks |
//! | 1/8 | a slot of the index moved; three times that where the item has to be looked at |
//! | 1 | a KiB copied; 2 KiB given back to the kernel |
//!
//! The count is the same in every run, so a bound on it can be tested on any machine. A call first does what it has to
//! do. The work that it does for later calls (emptying a page, freeing chains, comparing pages) ends when [`CALL_WORK`]
//! is spent, and goes on with the next call.

/// Units that one call spends on work that could also be done later. Together with the step that it has begun by then,
/// and with the work that cannot wait, a call takes less than 100 us in a cache of 50,000,000 items.
pub(crate) const CALL_WORK: u64 = 110;
/// Units after which a walk that removes dead items ends its call. There are more of them than in [`CALL_WORK`]: such a
/// walk goes through memory in its order, where the processor's caches help, and its removals make the index shrink.
pub(crate) const WALK_WORK: u64 = 160;
/// Slots of the index for one unit, as a shift.
const SLOTS_SHIFT: u32 = 3;
/// Bytes of a value that are stored in one call; larger ones come by
/// [`Engine::staged_space`](crate::Engine::staged_space) from the network.
const AT_ONCE_BYTES: usize = 64 << 10;
/// Bytes for one unit: copied, and given back to the kernel.
const COPIED_PER_UNIT: usize = 1 << 10;
const DISCARDED_PER_UNIT: usize = 2 << 10;

/// The work that one call has done, and the work that it may still do. Each call has its own `Effort`.
#[derive(Debug)]
pub(crate) struct Effort {
    units: u64,
    /// Slots that were moved, and what counts as much, with those that did not make up a unit when the call began.
    slots: u64,
    /// Units that were spent when the present share of [`CALL_WORK`] began.
    begun: u64,
}

impl Effort {
    /// The effort of a call that begins now, when the index has done so much work on slots since its creation.
    #[inline]
    pub(crate) fn new(slot_work: u64) -> Self {
        Self {
            units: 0,
            slots: slot_work % (1 << SLOTS_SHIFT),
            begun: 0,
        }
    }

    /// Units of work done so far.
    #[inline]
    pub(crate) fn spent(&self) -> u64 {
        self.units + (self.slots >> SLOTS_SHIFT)
    }

    /// Units that may still be spent on work that could also be done later.
    #[inline]
    pub(crate) fn left(&self) -> u64 {
        (self.begun + CALL_WORK).saturating_sub(self.spent())
    }

    /// Begins a new share of [`CALL_WORK`] for work that could also be done later, however much was done before.
    #[inline]
    pub(crate) fn begin_anew(&mut self) {
        self.begun = self.spent();
    }

    /// Notes that a value needs another chunk behind so many bytes. Beyond the size that should be stored at once, each
    /// further chunk gets an effort as if it were a call of its own.
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

    /// Counts work on slots of the index: one for each slot that was moved.
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

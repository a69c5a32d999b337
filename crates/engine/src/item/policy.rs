//! S3-FIFO over two bits per item: the meaning of the frequency in an item's head.
//!
//! ```text
//! 0, 1, 2   uses that the eviction hand has not yet taken away; it passes the items of a class page by page
//! 3         in the queue of probation.rs, and not asked for yet
//! ```

/// What to do with a live item that the eviction hand passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Evict it.
    Evict,
    /// Leave it, with this frequency.
    Keep(u8),
    /// Leave it: the item is on probation, and the hand does not judge it.
    Skip,
}

/// The frequency of a new item that is not put on probation.
pub(crate) const STORED: u8 = 0;

/// The frequency of an item that is in the queue of `probation` and was not asked for yet.
pub(crate) const ON_PROBATION: u8 = 3;

/// The frequency after an access. It ends probation: the entry in the queue is void from then on.
#[inline]
pub(crate) fn accessed(frequency: u8) -> u8 {
    const AFTER: [u8; 4] = [1, 2, 2, 1];
    AFTER[usize::from(frequency)]
}

/// The verdict on a live item with this frequency that the hand passes.
#[inline]
pub(crate) fn passed(frequency: u8) -> Verdict {
    match frequency {
        ON_PROBATION => Verdict::Skip,
        0 => Verdict::Evict,
        _ => Verdict::Keep(frequency - 1),
    }
}

/// The frequency of an item that gets another chunk. The queue knows an item by its chunk, so a new chunk ends
/// probation.
#[inline]
pub(crate) fn moved(frequency: u8) -> u8 {
    if frequency == ON_PROBATION {
        STORED
    } else {
        frequency
    }
}

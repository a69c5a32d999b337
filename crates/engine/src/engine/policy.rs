//! Which item to evict: what the two bits of frequency in an item's head mean, by policy.

use crate::config::Eviction;

/// What to do with a live item that the eviction hand passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Evict it.
    Evict,
    /// Leave it, with this frequency.
    Keep(u8),
    /// Leave it: it is not the hand's to judge.
    Skip,
}

/// An eviction policy over two bits per item. The hand passes the items of a class in the order of their pages.
pub(crate) trait Policy {
    /// Frequency of a new item; a chain takes many chunks that were freed here and there.
    fn stored(is_chain: bool) -> u8;
    /// Frequencies after an access, by those before.
    const ACCESSED: [u8; 4];
    /// The hand passes.
    fn passed(frequency: u8) -> Verdict;
    /// The item gets another chunk.
    fn moved(frequency: u8) -> u8;
}

/// CLOCK with a counter to 3. A new item starts at 0: it takes the place of the one just evicted, right behind the hand,
/// so it has a whole round to be asked for, and one-hit wonders go in the next. The first chunk of a chain may be anywhere,
/// also just before the hand; a frequency of 1 gives it its round.
#[derive(Debug)]
pub(crate) struct FrequencyClock;

impl Policy for FrequencyClock {
    const ACCESSED: [u8; 4] = [1, 2, 3, 3];

    #[inline]
    fn stored(is_chain: bool) -> u8 {
        u8::from(is_chain)
    }

    #[inline]
    fn passed(frequency: u8) -> Verdict {
        if frequency == 0 {
            Verdict::Evict
        } else {
            Verdict::Keep(frequency - 1)
        }
    }

    #[inline]
    fn moved(frequency: u8) -> u8 {
        frequency
    }
}

/// The frequency of an item that is in the queue of `probation` and was not asked for yet.
pub(crate) const ON_PROBATION: u8 = 3;

/// S3-FIFO: the same with a counter to 2, behind a queue of new items. An access ends an item's probation, its entry in
/// the queue is then void.
#[derive(Debug)]
pub(crate) struct S3Fifo;

impl Policy for S3Fifo {
    const ACCESSED: [u8; 4] = [1, 2, 2, 1];

    #[inline]
    fn stored(_is_chain: bool) -> u8 {
        0
    }

    #[inline]
    fn passed(frequency: u8) -> Verdict {
        if frequency == ON_PROBATION {
            Verdict::Skip
        } else {
            FrequencyClock::passed(frequency)
        }
    }

    /// The queue knows the item by its chunk.
    #[inline]
    fn moved(frequency: u8) -> u8 {
        if frequency == ON_PROBATION {
            0
        } else {
            frequency
        }
    }
}

/// The policy that was chosen, asked on the way of evictions and stores only; a get has the table of
/// [`Policy::ACCESSED`].
impl Eviction {
    #[inline]
    pub(crate) fn stored(self, is_chain: bool) -> u8 {
        match self {
            Self::Clock => FrequencyClock::stored(is_chain),
            Self::S3Fifo => S3Fifo::stored(is_chain),
        }
    }

    pub(crate) const fn accessed(self) -> [u8; 4] {
        match self {
            Self::Clock => FrequencyClock::ACCESSED,
            Self::S3Fifo => S3Fifo::ACCESSED,
        }
    }

    #[inline]
    pub(crate) fn passed(self, frequency: u8) -> Verdict {
        match self {
            Self::Clock => FrequencyClock::passed(frequency),
            Self::S3Fifo => S3Fifo::passed(frequency),
        }
    }

    #[inline]
    pub(crate) fn moved(self, frequency: u8) -> u8 {
        match self {
            Self::Clock => FrequencyClock::moved(frequency),
            Self::S3Fifo => S3Fifo::moved(frequency),
        }
    }
}

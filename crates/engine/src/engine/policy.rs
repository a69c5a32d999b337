//! Which item to evict: a second chance by frequency.

/// What to do with a live item that the eviction hand passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Evict it.
    Evict,
    /// Leave it, with this frequency.
    Keep(u8),
}

/// An eviction policy over two bits per item. The hand passes the items of a class in the order of their pages.
pub(crate) trait Policy {
    /// Frequency of a new item; a chain takes many chunks that were freed here and there.
    fn stored(is_chain: bool) -> u8;
    /// Frequency after an access.
    fn accessed(frequency: u8) -> u8;
    /// The hand passes.
    fn passed(frequency: u8) -> Verdict;
}

/// CLOCK with a counter to 3. A new item starts at 0: it takes the place of the one just evicted, right behind the hand,
/// so it has a whole round to be asked for, and one-hit wonders go in the next. The first chunk of a chain may be anywhere,
/// also just before the hand; a frequency of 1 gives it its round.
#[derive(Debug)]
pub(crate) struct FrequencyClock;

impl Policy for FrequencyClock {
    #[inline]
    fn stored(is_chain: bool) -> u8 {
        u8::from(is_chain)
    }

    #[inline]
    fn accessed(frequency: u8) -> u8 {
        (frequency + 1).min(3)
    }

    #[inline]
    fn passed(frequency: u8) -> Verdict {
        if frequency == 0 {
            Verdict::Evict
        } else {
            Verdict::Keep(frequency - 1)
        }
    }
}

/// The policy in use.
pub(crate) type Chosen = FrequencyClock;

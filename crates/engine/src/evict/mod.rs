//! Which item is evicted when memory is short.
//!
//! ```text
//! new item -> probation (queue) -- not asked for --> evicted, remembered by the ghosts
//!                 | asked for
//!                 v
//!             the rest of the class, under the hand ------> evicted, remembered by the ghosts
//! ```
//!
//! | file | what is in it |
//! | --- | --- |
//! | `gone.rs` | the removal itself |
//! | `hand.rs` | the hand that goes round the chunks of a class |
//! | `probation.rs`, `queue.rs` | the newest items of a class, first in, first out |
//! | `ghosts.rs`, `lap.rs` | fingerprints of items that went, and for how long they count |

mod ghosts;
mod gone;
mod hand;
mod lap;
mod probation;
mod queue;

pub(crate) use self::ghosts::CHUNKS_MAX as GHOST_CHUNKS_MAX;
pub(crate) use self::gone::{Gone, evict, reclaim};
pub(crate) use self::hand::LOOKS_PER_UNIT;
pub(crate) use self::queue::QueueCursor;

use self::hand::Hand;
use self::probation::Probation;

/// Chooses the items to evict: the hand of each class, and the queues and fingerprints of probation.
#[derive(Debug)]
pub(crate) struct Victims {
    /// Whether live items may be evicted at all.
    are_allowed: bool,
    /// The hand of each class.
    hands: Vec<Hand>,
    probation: Probation,
}

impl Victims {
    /// The state of a shard with so many classes.
    pub(crate) fn new(are_allowed: bool, classes: usize) -> Self {
        Self {
            are_allowed,
            hands: vec![Hand::default(); classes],
            probation: Probation::new(are_allowed, classes),
        }
    }

    /// Whether live items may be evicted at all.
    #[inline]
    pub(crate) fn are_allowed(&self) -> bool {
        self.are_allowed
    }
}

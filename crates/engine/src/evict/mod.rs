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
//! | `policy.rs` | what the two bits of an item's head mean |
//! | `hand.rs` | the hand that goes round the chunks of a class |
//! | `probation.rs`, `queue.rs` | the newest items of a class, first in, first out |
//! | `ghosts.rs`, `lap.rs` | fingerprints of items that went, and for how long they count |

mod ghosts;
mod hand;
mod lap;
pub(crate) mod policy;
mod probation;
mod queue;

pub(crate) use self::ghosts::CHUNKS_MAX as GHOST_CHUNKS_MAX;
pub(crate) use self::hand::LOOKS_PER_UNIT;
pub(crate) use self::queue::QueueCursor;

use self::hand::Hand;
use self::probation::Probation;
use crate::contents::{Cause, Contents};
use crate::effort::Effort;
use crate::slab::ChunkRef;
use crate::telemetry::Telemetry;
use crate::types::KeyHash;

/// Chooses the items to evict: the hand of each class, and the queues and fingerprints of probation.
#[derive(Debug)]
pub(crate) struct Victims {
    /// Whether live items may be evicted at all.
    are_allowed: bool,
    /// The hand of each class.
    hands: Vec<Hand>,
    probation: Probation,
}

/// The item that was removed for its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// A dead item.
    Dead,
    /// A live item.
    Evicted {
        /// The class of its first chunk.
        class: u8,
        /// Bytes of header, optional fields, key and value.
        bytes: u64,
    },
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

/// Removes a live item for its memory.
pub(crate) fn evict(
    contents: &mut Contents,
    telemetry: &mut Telemetry,
    effort: &mut Effort,
    (chunk, hash): (ChunkRef, KeyHash),
    cause: Cause,
) -> Gone {
    let leaving = contents.leaving(chunk, cause);
    telemetry.leaves(&leaving);
    let gone = Gone::Evicted {
        class: leaving.class,
        bytes: leaving.item_bytes,
    };
    contents.remove(chunk, hash, effort);
    gone
}

/// Removes a dead item that a search for memory has met.
pub(crate) fn reclaim(
    contents: &mut Contents,
    telemetry: &mut Telemetry,
    effort: &mut Effort,
    chunk: ChunkRef,
) -> Gone {
    telemetry.leaves(&contents.leaving(chunk, Cause::Met));
    contents.remove(chunk, contents.hash_of(chunk), effort);
    Gone::Dead
}

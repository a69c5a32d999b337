//! Which item goes when memory is short.
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

pub(crate) mod ghosts;
pub(crate) mod hand;
pub(crate) mod lap;
pub(crate) mod policy;
pub(crate) mod probation;
pub(crate) mod queue;

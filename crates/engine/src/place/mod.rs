//! Where memory comes from, and how much of it each class has.
//!
//! ```text
//! allocate -> a free chunk | a page of the pool | an eviction in the class | a larger chunk | a page of another class
//!                                                      evict/                 larger.rs       steal.rs -> drain.rs
//! ```
//!
//! | file | what is in it |
//! | --- | --- |
//! | `allocate.rs`, `larger.rs`, `last.rs` | the steps above, in their order, and the last resort |
//! | `slots.rs` | room in the index for an item that is about to be stored, and in the queue of its class |
//! | `steal.rs`, `drain.rs`, `rescue.rs` | choosing a page, and emptying it in steps: items that move |
//! | `balance.rs`, `activity.rs`, `age.rs` | how much memory each class has, and what for; pages that are not used |
//! | `condense.rs` | memory given back by a smaller index |
//! | `give.rs`, `reassign.rs` | pages that go back to the budget, and pages moved on request |
//! | `pressure.rs` | how short of memory the shard is |

mod activity;
mod age;
mod allocate;
mod balance;
mod condense;
mod drain;
mod give;
mod larger;
mod last;
mod pressure;
mod purpose;
mod reassign;
mod rescue;
mod slots;
mod steal;

pub use self::age::IDLE_FOR_EVER;
pub(crate) use self::allocate::Allocated;
pub(crate) use self::give::DRAIN_WORK;
pub(crate) use self::purpose::Purpose;
pub use self::reassign::ReassignOutcome;

use self::age::PageSearch;
use self::balance::Balance;
use self::condense::Condensing;
use self::drain::Drain;
use self::last::Vain;
use self::pressure::Pressure;
use crate::contents::Contents;
use crate::effort::Effort;
use crate::evict::{Gone, Victims};
use crate::telemetry::Telemetry;

/// How much memory each class has, and which page is being emptied.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) pressure: Pressure,
    pub(crate) balance: Balance,
    /// The page on its way out of its class.
    drain: Option<Drain>,
    condensing: Condensing,
    search: PageSearch,
    vain: Vec<Vain>,
}

impl Placement {
    /// The state of a shard with so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            pressure: Pressure::new(classes),
            balance: Balance::new(classes),
            drain: None,
            condensing: Condensing::default(),
            search: PageSearch::default(),
            vain: vec![Vain::default(); classes],
        }
    }

    /// Whether a page is on its way out of its class.
    #[inline]
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_some()
    }
}

/// The parts of the engine that a search for memory may change, and the effort of the call.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    pub(crate) contents: &'a mut Contents,
    pub(crate) victims: &'a mut Victims,
    pub(crate) placement: &'a mut Placement,
    pub(crate) telemetry: &'a mut Telemetry,
    pub(crate) effort: &'a mut Effort,
}

impl Memory<'_> {
    /// Removes one item whose first chunk is in `class`: a dead one, or a live one if evictions are allowed. The hand
    /// looks at `looks` chunks at most; false if no such item was found.
    fn evict_one(&mut self, class: u8, looks: usize) -> bool {
        match self.find_victim(class, looks) {
            Some(gone) => {
                self.note_evicted_bytes(gone);
                true
            }
            None => false,
        }
    }

    /// Like [`Self::evict_one`], but the caller has to count the bytes of the item that has gone.
    fn find_victim(&mut self, class: u8, looks: usize) -> Option<Gone> {
        let gone =
            self.victims
                .evict_one(self.contents, self.telemetry, self.effort, class, looks)?;
        self.placement.pressure.note_gone(gone);
        Some(gone)
    }

    /// Notes that an item was removed because this shard needs memory itself.
    fn note_evicted(&mut self, gone: Gone) {
        self.placement.pressure.note_gone(gone);
        self.note_evicted_bytes(gone);
    }

    /// Notes the bytes of an item that was evicted because this shard needs memory itself.
    fn note_evicted_bytes(&mut self, gone: Gone) {
        if let Gone::Evicted { bytes, .. } = gone {
            self.placement.pressure.note_evicted_bytes(bytes);
            self.telemetry.evicted_bytes(bytes);
        }
    }
}

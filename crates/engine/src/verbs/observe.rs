//! A look at an item that changes nothing: for logs of the items that operations find.

use crate::contents::Death;
use crate::engine::Engine;
use crate::item::{Fields, Marks};
use crate::types::{Deadline, KeyHash, Seconds};

/// Whether an item is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There is no item.
    Absent,
    /// The item is alive.
    Live,
    /// The item is in memory, but its deadline has passed.
    Expired,
    /// The item is in memory, but a flush has killed it.
    Flushed,
}

/// The item under a key, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Whether there is an item.
    pub presence: Presence,
    /// The slab class, as shown to users; 0 without a live item.
    pub class_id: u8,
    /// Length of the value; 0 without a live item.
    pub value_bytes: usize,
    /// The deadline.
    pub deadline: Deadline,
    /// Bytes of header, key and value, as `bytes` counts them; 0 without a live item.
    pub item_bytes: usize,
}

impl Engine {
    /// Looks at the item under a key. Nothing is counted, marked or removed.
    #[must_use]
    pub fn observe(&mut self, key: &[u8], hash: KeyHash, now: Seconds) -> Observed {
        self.contents.clock.advance(now);
        let mut observed = Observed {
            presence: Presence::Absent,
            class_id: 0,
            value_bytes: 0,
            deadline: Deadline::NEVER,
            item_bytes: 0,
        };
        let Some((_, chunk)) = self.contents.find(key, hash) else {
            return observed;
        };
        let item = self.contents.items.item(chunk);
        observed.presence = match self.contents.death(&item) {
            Some(Death::Expired) => Presence::Expired,
            Some(Death::Flushed) => Presence::Flushed,
            None => Presence::Live,
        };
        if observed.presence == Presence::Live {
            observed.class_id = self.contents.shown_class(self.class_of(chunk));
            observed.value_bytes = item.value_bytes();
            observed.deadline = item.deadline();
            observed.item_bytes = item.requested_bytes();
        }
        observed
    }

    /// The slab class, as shown to users, that an item of this size would get.
    #[must_use]
    pub fn class_id_for(&self, key: &[u8], value_bytes: usize) -> u8 {
        let fields = Fields {
            key,
            client_flags: 0,
            deadline: Deadline::NEVER,
            cas: None,
            marks: Marks::NONE,
            deadline_room: self.keeps_deadline_room(),
            value_bytes,
        };
        let largest = self.contents.items.slabs.sizes.top();
        self.contents
            .shown_class(self.contents.single_class(&fields).unwrap_or(largest))
    }
}

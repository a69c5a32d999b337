//! The commands of clients: one file for each verb, or for each step of one.
//!
//! ```text
//! get observe                      looking at items
//! store commit                     whole values; values that have come in pieces
//! append prepend splice join       values that grow
//! arith touch delete               numbers, deadlines, the end
//! reshape                          items whose header has to grow
//! ```

mod append;
mod arith;
mod commit;
mod delete;
pub(crate) mod get;
mod join;
pub(crate) mod observe;
mod prepend;
mod reshape;
mod splice;
mod store;
mod touch;

use crate::contents::Death;
use crate::engine::Engine;
use crate::index::Place;
use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// The item that a lookup has found, if any.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    /// A live item.
    Live(Place, ChunkRef),
    /// A dead item of this class, which the lookup has removed: the item that is stored next takes its place.
    Dead(u8),
    /// No item.
    Absent,
}

impl Seen {
    /// The live item.
    #[inline]
    pub(crate) fn live(self) -> Option<(Place, ChunkRef)> {
        match self {
            Self::Live(place, chunk) => Some((place, chunk)),
            Self::Dead(_) | Self::Absent => None,
        }
    }

    /// The class of the dead item that was removed.
    #[inline]
    pub(crate) fn dead(self) -> Option<u8> {
        match self {
            Self::Dead(class) => Some(class),
            Self::Live(..) | Self::Absent => None,
        }
    }
}

impl Engine {
    /// Finds a live item; removes a dead one.
    #[inline]
    pub(crate) fn look_up(&mut self, key: &[u8], hash: KeyHash) -> Seen {
        let Some((place, chunk)) = self.contents.find(key, hash) else {
            return Seen::Absent;
        };
        match self.contents.death(&self.contents.items.item(chunk)) {
            None => Seen::Live(place, chunk),
            Some(death) => self.bury(place, chunk, death),
        }
    }

    /// Removes a dead item that a lookup has found.
    #[cold]
    fn bury(&mut self, place: Place, chunk: ChunkRef, death: Death) -> Seen {
        self.telemetry.found_dead(death);
        let class = self.contents.items.slabs.class_of(chunk);
        self.spending(|engine, effort| engine.contents.unlink(place, chunk, effort));
        Seen::Dead(class)
    }

    /// The class of an item's first chunk.
    #[inline]
    pub(crate) fn class_of(&self, chunk: ChunkRef) -> u8 {
        self.contents.items.slabs.class_of(chunk)
    }
}

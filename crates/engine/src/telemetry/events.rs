//! What the engine does by itself and somebody may want to know: evictions and moves of pages. Recorded only on request,
//! and kept until they are taken, up to a bound.

use crate::engine::Engine;
use crate::slab::{ChunkRef, INDEX_CLASS};
use crate::types::Deadline;

/// Events kept until they are taken; more are only counted. One operation evicts far fewer items.
const EVENTS_MAX: usize = 1024;

/// Something that the engine has done by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineEvent<'a> {
    /// A live item was removed for its memory.
    Evicted {
        /// Its key.
        key: &'a [u8],
        /// Whether it was fetched since it was stored.
        fetched: bool,
        /// Seconds that it had left; `None` = it would have lived for ever.
        ttl: Option<u32>,
        /// Seconds since it was last used.
        idle: u32,
        /// Its slab class, as shown to users.
        class_id: u8,
        /// Length of its value.
        value_bytes: usize,
    },
    /// A page begins to move from one slab class to another (0: to the common pool).
    PageMoved {
        /// From this class, as shown to users.
        source: u8,
        /// To this one.
        destination: u8,
    },
}

#[derive(Clone, Copy, Debug)]
enum Kept {
    Evicted {
        key_end: usize,
        fetched: bool,
        ttl: Option<u32>,
        idle: u32,
        class_id: u8,
        value_bytes: usize,
    },
    PageMoved {
        source: u8,
        destination: u8,
    },
}

/// Events that wait to be taken.
#[derive(Debug, Default)]
pub(crate) struct Events {
    recorded: bool,
    kept: Vec<Kept>,
    /// Keys of evicted items, one behind the other.
    keys: Vec<u8>,
    dropped: u64,
}

impl Events {
    fn keep(&mut self, event: Kept) {
        if self.kept.len() < EVENTS_MAX {
            self.kept.push(event);
        } else {
            self.dropped += 1;
        }
    }
}

impl Engine {
    /// Begins or ends the recording of events; what was recorded and not taken is dropped.
    pub fn record_events(&mut self, on: bool) {
        self.events = Events {
            recorded: on,
            ..Events::default()
        };
    }

    /// Whether there are events to take.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.kept.is_empty()
    }

    /// Gives every event, in the order in which they happened, to `visit`; returns how many there were no room for.
    pub fn take_events(&mut self, mut visit: impl FnMut(&EngineEvent<'_>)) -> u64 {
        let Events { kept, keys, .. } = &mut self.events;
        let mut start = 0;
        for event in kept.drain(..) {
            match event {
                Kept::Evicted {
                    key_end,
                    fetched,
                    ttl,
                    idle,
                    class_id,
                    value_bytes,
                } => {
                    visit(&EngineEvent::Evicted {
                        key: &keys[start..key_end],
                        fetched,
                        ttl,
                        idle,
                        class_id,
                        value_bytes,
                    });
                    start = key_end;
                }
                Kept::PageMoved {
                    source,
                    destination,
                } => visit(&EngineEvent::PageMoved {
                    source,
                    destination,
                }),
            }
        }
        keys.clear();
        std::mem::take(&mut self.events.dropped)
    }

    /// Records that a live item is about to be evicted.
    pub(crate) fn note_eviction(&mut self, chunk: ChunkRef) {
        if !self.events.recorded {
            return;
        }
        let item = self.items.item(chunk);
        let deadline = item.deadline();
        let mortal = deadline != Deadline::NEVER;
        if self.events.kept.len() < EVENTS_MAX {
            self.events.keys.extend_from_slice(item.key());
        }
        let event = Kept::Evicted {
            key_end: self.events.keys.len(),
            fetched: item.head.is_fetched(),
            ttl: mortal.then(|| deadline.0.saturating_sub(self.clock.now().0)),
            idle: self.clock.age(item.head.last_access()),
            class_id: self.shown_class(self.items.slabs.class_of(chunk)),
            value_bytes: item.value_bytes(),
        };
        self.events.keep(event);
    }

    /// Records that a page leaves its class.
    pub(crate) fn note_page_move(&mut self, source: u8, heir: Option<u8>) {
        if self.events.recorded {
            let event = Kept::PageMoved {
                source: self.shown_class(source),
                destination: heir.map_or(0, |class| self.shown_class(class)),
            };
            self.events.keep(event);
        }
    }

    /// The number under which users know a class; 0 is the pool.
    pub(crate) fn shown_class(&self, class: u8) -> u8 {
        match class {
            INDEX_CLASS => 0,
            class => self.items.slabs.sizes.shown_id(class),
        }
    }
}

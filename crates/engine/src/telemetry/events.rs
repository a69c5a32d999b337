//! Events for watchers: evictions and moves of pages, which the engine does by itself. They are recorded only on
//! request, and kept until they are taken, up to a bound.
//!
//! ```text
//! Leaving, page moved -> kept | .. up to 1,024 .. |, keys behind each other -> take_events: EngineEvent
//!                             more are only counted
//! ```

use crate::contents::Leaving;

/// Events kept until they are taken; more are only counted. One operation evicts far fewer items.
const EVENTS_MAX: usize = 1024;

/// Something that the engine has done by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineEvent<'a> {
    /// A live item was removed for its memory.
    Evicted {
        /// The key of the item.
        key: &'a [u8],
        /// Whether it was fetched since it was stored.
        fetched: bool,
        /// Seconds that the item had left; `None` if it would have lived for ever.
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
        /// The class that the page leaves, as shown to users.
        source: u8,
        /// The class that gets the page, as shown to users.
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

    /// Records that a live item is about to be evicted.
    #[inline]
    pub(crate) fn note_eviction(&mut self, leaving: &Leaving<'_>) {
        if self.recorded {
            self.keep_eviction(leaving);
        }
    }

    #[cold]
    fn keep_eviction(&mut self, leaving: &Leaving<'_>) {
        if self.kept.len() < EVENTS_MAX {
            self.keys.extend_from_slice(leaving.key);
        }
        self.keep(Kept::Evicted {
            key_end: self.keys.len(),
            fetched: leaving.is_fetched,
            ttl: leaving.ttl,
            idle: leaving.idle,
            class_id: leaving.class_id,
            value_bytes: leaving.value_bytes,
        });
    }

    /// Records that a page leaves its class, by the numbers that users know.
    pub(crate) fn note_page_move(&mut self, source: u8, destination: u8) {
        if self.recorded {
            self.keep(Kept::PageMoved {
                source,
                destination,
            });
        }
    }

    /// Begins or ends the recording. Events that were recorded but not taken are dropped.
    pub(crate) fn record(&mut self, on: bool) {
        *self = Events {
            recorded: on,
            ..Events::default()
        };
    }

    /// Whether there are events to take.
    pub(crate) fn are_there(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Gives every event to `visit`; returns the number of events that there was no room for.
    pub(crate) fn take(&mut self, mut visit: impl FnMut(&EngineEvent<'_>)) -> u64 {
        let Events { kept, keys, .. } = self;
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
        std::mem::take(&mut self.dropped)
    }
}

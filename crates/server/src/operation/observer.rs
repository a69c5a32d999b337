//! The events of a shard that are recorded while somebody watches: lines for watchers, counts of `stats detail`. They
//! come from outcomes (`observed.rs`) and from the engine's own events. And the sampler of `stats hotkeys` and `stats
//! mrc`, which sees one operation in many (`sampled.rs`).

use std::sync::Arc;

use corecached_engine::{Engine, EngineEvent, Observed, Presence};
use corecached_insight::Sampler;
use corecached_protocol::event::{self, GetStatus};
use corecached_protocol::text::Streams;

use crate::verbose;
use crate::watch::{DETAIL, EventLog, LOOKUPS, Lines, PrefixCounts, PrefixRows, Prefixes, Watch};

/// The part of a shard's core that observes. It is lent with the engine.
#[derive(Debug)]
pub(crate) struct Observer {
    wanted: u16,
    /// The operations that are sampled.
    pub(crate) sampler: Sampler,
    /// The shard's log.
    pub(crate) log: EventLog,
    prefixes: Prefixes,
}

impl Observer {
    /// An observer that records nothing yet.
    pub(crate) fn new(watch: Arc<Watch>, sampler: Sampler) -> Observer {
        Observer {
            wanted: 0,
            sampler,
            log: EventLog::new(watch),
            prefixes: Prefixes::default(),
        }
    }

    /// Whether operations need not be observed.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted == 0
    }

    /// Reads what is to be observed, at the beginning of a turn or loan.
    #[inline]
    pub(crate) fn sync(&mut self, engine: &mut Engine) {
        let wanted = self.log.sync();
        if wanted != self.wanted {
            self.wanted = wanted;
            let engines_own = Streams::EVICTIONS.with(Streams::SYSEVENTS);
            engine.record_events(self.log.wants(engines_own));
        }
        self.prefixes.free_some(self.log.watch().prefix_names());
    }

    /// Takes the lines of a turn or loan, at its end.
    #[inline]
    pub(crate) fn take(&mut self, engine: &mut Engine) -> Option<Lines> {
        if self.is_idle() {
            return None;
        }
        self.collect(engine);
        self.log.take()
    }

    /// Logs the events that the engine has caused by itself.
    pub(crate) fn collect(&mut self, engine: &mut Engine) {
        let log = &mut self.log;
        let dropped = engine.take_events(|event| match *event {
            EngineEvent::Evicted {
                key,
                fetched,
                ttl,
                idle,
                class_id,
                value_bytes,
            } => {
                let eviction = event::Eviction {
                    key,
                    fetched,
                    ttl,
                    idle,
                    class_id,
                    value_bytes,
                };
                log.add(Streams::EVICTIONS, |out| event::eviction(out, &eviction));
            }
            EngineEvent::PageMoved {
                source,
                destination,
            } => log.add(Streams::SYSEVENTS, |out| {
                event::slab_move(out, source, destination);
            }),
        });
        log.add_dropped(dropped);
    }

    /// A copy of the counts of some prefixes.
    pub(crate) fn prefixes(&self, from: u32) -> PrefixRows {
        self.prefixes.rows(from)
    }

    /// `stats reset`: sets the counts to zero.
    pub(crate) fn reset(&mut self) {
        self.prefixes.clear();
        if let Some(hot_keys) = self.sampler.hot_keys() {
            hot_keys.clear();
        }
    }

    /// Logs a lookup, or the look at the item that a change begins with.
    pub(super) fn item_get(&mut self, key: &[u8], found: &Observed, descriptor: i32) {
        if self.wanted & LOOKUPS != 0 {
            verbose::lookup(key, found.presence);
        }
        let status = match found.presence {
            Presence::Absent => GetStatus::NotFound,
            Presence::Live => GetStatus::Found,
            Presence::Expired => GetStatus::Expired,
            Presence::Flushed => GetStatus::Flushed,
        };
        let (class_id, value_bytes) = (found.class_id, found.value_bytes);
        self.log.add(Streams::FETCHERS, |out| {
            event::item_get(out, key, status, class_id, descriptor, value_bytes);
        });
    }

    /// Counts for `stats detail`, if it is on and the key has a prefix.
    pub(super) fn count(&mut self, key: &[u8], count: impl FnOnce(&mut PrefixCounts)) {
        if self.wanted & DETAIL == 0 {
            return;
        }
        let watch = self.log.watch();
        let (delimiter, names) = (watch.prefix_delimiter(), watch.prefix_names());
        if let Some(counts) = self.prefixes.of_key(key, delimiter, names) {
            count(counts);
        }
    }
}

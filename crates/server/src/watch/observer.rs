//! The witness of a shard's operations: around each of them, while somebody wants to know, it looks at the item before and
//! after, and at the statistics, and so knows what happened without the operation telling it.

use std::sync::Arc;

use corecached_engine::{
    Deadline, Engine, EngineEvent, EngineStats, KeyHash, Observed, Presence, Seconds, StoreMode,
    StoreOutcome,
};
use corecached_protocol::event::{self, GetStatus, ItemStore, StoreStatus};
use corecached_protocol::text::Streams;
use corecached_reactor::Outgoing;

use crate::dialogue;
use crate::execute::{Access, Part, run};
use crate::op::{Op, Verb};

use super::{DETAIL, EventLog, LOOKUPS, Lines, PrefixCounts, PrefixRows, Prefixes, Watch};

/// The part of a shard's core that observes. It is lent with the engine.
#[derive(Debug)]
pub(crate) struct Observer {
    wanted: u16,
    /// The shard's log.
    pub(crate) log: EventLog,
    prefixes: Prefixes,
}

impl Observer {
    /// Nothing is wanted yet.
    pub(crate) fn new(watch: Arc<Watch>) -> Observer {
        Observer {
            wanted: 0,
            log: EventLog::new(watch),
            prefixes: Prefixes::default(),
        }
    }

    /// Whether operations need not be observed.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted == 0
    }

    /// Looks what is wanted, at the beginning of a turn or loan.
    #[inline]
    pub(crate) fn sync(&mut self, engine: &mut Engine) {
        let wanted = self.log.sync();
        if wanted != self.wanted {
            self.wanted = wanted;
            let engines_own = Streams::EVICTIONS.with(Streams::SYSEVENTS);
            engine.record_events(self.log.wants(engines_own));
        }
        self.prefixes.free_some(&self.log.watch().prefix_names);
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

    /// Writes down what the engine has done by itself.
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

    /// `stats reset`.
    pub(crate) fn reset(&mut self) {
        self.prefixes.clear();
    }

    fn item_get(&mut self, key: &[u8], found: &Observed, descriptor: i32) {
        if self.wanted & LOOKUPS != 0 {
            dialogue::lookup(key, found.presence);
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
    fn count(&mut self, key: &[u8], count: impl FnOnce(&mut PrefixCounts)) {
        if self.wanted & DETAIL == 0 {
            return;
        }
        let watch = self.log.watch();
        let (delimiter, names) = (watch.prefix_delimiter, &watch.prefix_names);
        if let Some(counts) = self.prefixes.of_key(key, delimiter, names) {
            count(counts);
        }
    }
}

/// Runs an operation under observation.
#[cold]
pub(crate) fn observed(access: &mut Access<'_>, op: &Op<'_>, out: &mut Outgoing) -> Option<Part> {
    // Steps of a large value are observed when it is committed.
    if op.key.is_empty() || matches!(op.verb, Verb::Stage(_)) {
        return run(access, op, out);
    }
    let before = access.engine.observe(op.key, op.hash, access.now);
    let stats = access.engine.stats();
    access.observer.count(op.key, |counts| match op.verb {
        Verb::Get { .. } => {
            counts.get += 1;
            counts.hit += u64::from(before.presence == Presence::Live);
        }
        Verb::Store { .. } | Verb::Refuse { .. } => counts.set += 1,
        Verb::Delete { .. } => counts.del += 1,
        _ => {}
    });
    if !matches!(op.verb, Verb::Refuse { .. }) {
        access.observer.item_get(op.key, &before, access.descriptor);
    }
    let part = run(access, op, out);
    mutated(access, op, &before, &stats);
    access.observer.collect(access.engine);
    part
}

/// Writes down what an operation has changed, judged by what was there and the statistics before it.
fn mutated(access: &mut Access<'_>, op: &Op<'_>, found: &Observed, before: &EngineStats) {
    let item = (op.key, op.hash);
    match op.verb {
        Verb::Store { mode, value, .. } => stored(access, item, mode, value.len(), before),
        Verb::Refuse { mode, .. } => stored(access, item, mode, 0, before),
        // A number that is created is added; one that is changed is not logged, as in memcached.
        Verb::Arith(arith) if arith.extras.create.is_some() && found.presence != Presence::Live => {
            stored(access, item, StoreMode::Add, 0, before);
        }
        // An empty value is set in place of the one before.
        Verb::Delete(delete)
            if delete.empty.is_some() && access.engine.stats().total_items > before.total_items =>
        {
            stored(access, item, StoreMode::Set, 0, before);
        }
        Verb::Delete(_) if access.engine.stats().delete_hits > before.delete_hits => {
            let command = if op.reply.is_meta() { "md" } else { "delete" };
            access.observer.log.add(Streams::DELETIONS, |out| {
                event::deleted(out, op.key, command, found.class_id, found.value_bytes);
            });
        }
        _ => {}
    }
}

/// A value that came in pieces, about to be linked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Committed<'a> {
    /// Its key.
    pub(crate) key: &'a [u8],
    /// The key's hash.
    pub(crate) hash: KeyHash,
    /// The storage command.
    pub(crate) mode: StoreMode,
    /// Length of the value.
    pub(crate) value_bytes: usize,
}

/// Links a value that came in pieces by `commit`, under observation if that is wanted.
pub(crate) fn committed(
    access: &mut Access<'_>,
    value: &Committed<'_>,
    commit: impl FnOnce(&mut Engine, Seconds) -> StoreOutcome,
) -> StoreOutcome {
    if access.observer.is_idle() {
        return commit(access.engine, access.now);
    }
    let before = access.engine.observe(value.key, value.hash, access.now);
    let stats = access.engine.stats();
    access.observer.count(value.key, |counts| counts.set += 1);
    access
        .observer
        .item_get(value.key, &before, access.descriptor);
    let outcome = commit(access.engine, access.now);
    stored(
        access,
        (value.key, value.hash),
        value.mode,
        value.value_bytes,
        &stats,
    );
    access.observer.collect(access.engine);
    outcome
}

/// Writes down what a storage command has come to, judged by the statistics before and after it.
fn stored(
    access: &mut Access<'_>,
    (key, hash): (&[u8], KeyHash),
    mode: StoreMode,
    value_bytes: usize,
    before: &EngineStats,
) {
    if !access.observer.log.wants(Streams::MUTATIONS) {
        return;
    }
    let status = store_status(before, &access.engine.stats());
    let mut store = ItemStore {
        key,
        status,
        command: command(mode),
        ttl: 0,
        class_id: 0,
        descriptor: access.descriptor,
        value_bytes,
    };
    match status {
        StoreStatus::Stored => {
            let item = access.engine.observe(key, hash, access.now);
            store.class_id = item.class_id;
            store.value_bytes = item.value_bytes;
            if item.deadline != Deadline::NEVER {
                store.ttl = item.deadline.0.saturating_sub(access.now.0);
            }
        }
        StoreStatus::TooLarge | StoreStatus::NoMemory => {}
        _ => store.class_id = access.engine.class_id_for(key, value_bytes),
    }
    access
        .observer
        .log
        .add(Streams::MUTATIONS, |out| event::item_store(out, &store));
}

fn store_status(before: &EngineStats, after: &EngineStats) -> StoreStatus {
    if after.total_items > before.total_items {
        StoreStatus::Stored
    } else if after.cas_badval > before.cas_badval {
        StoreStatus::Exists
    } else if after.cas_misses > before.cas_misses {
        StoreStatus::NotFound
    } else if after.store_too_large > before.store_too_large {
        StoreStatus::TooLarge
    } else if after.store_no_memory > before.store_no_memory {
        StoreStatus::NoMemory
    } else {
        StoreStatus::NotStored
    }
}

fn command(mode: StoreMode) -> &'static str {
    match mode {
        StoreMode::Set => "set",
        StoreMode::Add => "add",
        StoreMode::Replace => "replace",
        StoreMode::Append => "append",
        StoreMode::Prepend => "prepend",
        StoreMode::Cas(_) => "cas",
    }
}

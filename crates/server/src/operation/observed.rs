//! Runs operations under observation, while somebody watches. It looks at the item before an operation, and learns the
//! change from the operation's outcome.
//!
//! ```text
//!   Op --> look at the item --> engine --> Outcome --+--> counts of `stats detail`
//!              |                              |      +--> a line for those who watch changes
//!              +--> a line for those who      +--> what the engine has done by itself meanwhile: evictions, pages
//!                   watch lookups
//! ```

use corecached_engine::{
    ArithOutcome, Deadline, DeleteOutcome, Observed, Presence, StoreMode, StoreOutcome,
    StoreRefusal,
};
use corecached_protocol::event::{self, ItemStore, StoreStatus};
use corecached_protocol::text::Streams;

use super::access::Access;
use super::apply::{apply, look_up};
use super::op::{Change, Op, Verb};
use super::outcome::{Changed, Outcome};

/// Runs an operation on a key that is not sampled, or has been.
#[inline]
pub(super) fn run<'e>(access: &'e mut Access<'_>, op: &Op<'_>) -> Outcome<'e> {
    if !access.observer.is_idle() {
        return observed(access, op);
    }
    match &op.verb {
        Verb::Get(fetch) => look_up(access.engine, op, *fetch, access.now),
        Verb::Change(change) => Outcome::Changed(apply(access.engine, op, change, access.now)),
    }
}

/// Runs an operation under observation.
#[cold]
fn observed<'e>(access: &'e mut Access<'_>, op: &Op<'_>) -> Outcome<'e> {
    // The outcome of a lookup borrows the engine, so events of the engine cannot be collected after it: those of the
    // last lookup are collected now.
    access.observer.collect(access.engine);
    let found = access.engine.observe(op.key, op.hash, access.now);
    if !matches!(op.verb, Verb::Change(Change::Refuse { .. })) {
        access.observer.item_get(op.key, &found, access.descriptor);
    }
    match &op.verb {
        Verb::Get(fetch) => {
            let outcome = look_up(access.engine, op, *fetch, access.now);
            access.observer.count(op.key, |counts| {
                counts.get += 1;
                counts.hit += u64::from(has_found(&outcome));
            });
            outcome
        }
        Verb::Change(change) => {
            access.observer.count(op.key, |counts| match change {
                Change::Store { .. } | Change::Commit { .. } | Change::Refuse { .. } => {
                    counts.set += 1;
                }
                Change::Delete { .. } => counts.del += 1,
                Change::Arith(_) | Change::Touch { .. } => {}
            });
            let changed = apply(access.engine, op, change, access.now);
            log_change(access, op, change, changed, &found);
            access.observer.collect(access.engine);
            Outcome::Changed(changed)
        }
    }
}

/// Whether a lookup has found an item that it did not create itself.
fn has_found(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Outcome::Hit(hit) => !hit.is_new(),
        Outcome::OutOfMemory(_) => true,
        Outcome::Miss | Outcome::Changed(_) => false,
    }
}

/// Logs a change of an item; `found` is the item's state before the change.
fn log_change(
    access: &mut Access<'_>,
    op: &Op<'_>,
    change: &Change<'_>,
    changed: Changed,
    found: &Observed,
) {
    match (*change, changed) {
        (Change::Store { mode, value, .. }, Changed::Stored(outcome)) => {
            log_store(access, op, mode, value.len(), store_status(outcome));
        }
        (
            Change::Commit {
                mode, value_bytes, ..
            },
            Changed::Stored(outcome),
        ) => log_store(access, op, mode, value_bytes, store_status(outcome)),
        (Change::Refuse { mode, .. }, Changed::Refused(why)) => {
            let status = match why {
                StoreRefusal::TooLarge => StoreStatus::TooLarge,
                StoreRefusal::OutOfMemory => StoreStatus::NoMemory,
            };
            log_store(access, op, mode, 0, status);
        }
        // A counter that is created is logged as added; one that is changed is not logged, as in memcached.
        (Change::Arith(_), Changed::Counted(ArithOutcome::Number { created: true, .. })) => {
            log_store(access, op, StoreMode::Add, 0, StoreStatus::Stored);
        }
        (Change::Arith(arith), Changed::Counted(ArithOutcome::OutOfMemory))
            if arith.extras.create.is_some() && found.presence != Presence::Live =>
        {
            log_store(access, op, StoreMode::Add, 0, StoreStatus::NotStored);
        }
        (Change::Delete { delete, command }, Changed::Deleted(DeleteOutcome::Deleted)) => {
            if delete.empty.is_some() {
                // An empty value is set in place of the old one.
                log_store(access, op, StoreMode::Set, 0, StoreStatus::Stored);
            } else if !delete.stale {
                access.observer.log.add(Streams::DELETIONS, |out| {
                    event::deleted(out, op.key, command, found.class_id, found.value_bytes);
                });
            }
        }
        _ => {}
    }
}

/// Logs the outcome of a storage command.
fn log_store(
    access: &mut Access<'_>,
    op: &Op<'_>,
    mode: StoreMode,
    value_bytes: usize,
    status: StoreStatus,
) {
    if !access.observer.log.wants(Streams::MUTATIONS) {
        return;
    }
    let mut store = ItemStore {
        key: op.key,
        status,
        command: command(mode),
        ttl: 0,
        class_id: 0,
        descriptor: access.descriptor,
        value_bytes,
    };
    match status {
        StoreStatus::Stored => {
            let item = access.engine.observe(op.key, op.hash, access.now);
            store.class_id = item.class_id;
            store.value_bytes = item.value_bytes;
            if item.deadline != Deadline::NEVER {
                store.ttl = item.deadline.0.saturating_sub(access.now.0);
            }
        }
        StoreStatus::TooLarge | StoreStatus::NoMemory => {}
        _ => store.class_id = access.engine.class_id_for(op.key, value_bytes),
    }
    access
        .observer
        .log
        .add(Streams::MUTATIONS, |out| event::item_store(out, &store));
}

fn store_status(outcome: StoreOutcome) -> StoreStatus {
    match outcome {
        StoreOutcome::Stored { .. } => StoreStatus::Stored,
        StoreOutcome::NotStored => StoreStatus::NotStored,
        StoreOutcome::Exists => StoreStatus::Exists,
        StoreOutcome::NotFound => StoreStatus::NotFound,
        StoreOutcome::TooLarge => StoreStatus::TooLarge,
        StoreOutcome::OutOfMemory => StoreStatus::NoMemory,
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

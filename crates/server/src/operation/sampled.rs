//! Runs an operation that is sampled, and notes it for `stats hotkeys` and `stats mrc`.
//!
//! ```text
//!   Op --> Sampler::wants --no--> run (observed.rs)
//!             | yes
//!             +--> hot keys: the key is counted
//!             +--> estimate: a get is noted as it will turn out, a change as the item is afterwards --> buffer
//!
//!   a get that was answered from another shard's memory --> count_remote_read --> log of reads --> that shard's buffer
//! ```
//!
//! A sampled operation looks its key up once more. The samples in the buffer are taken by the shard's upkeep
//! (`shard/sample_feed.rs`).

use corecached_engine::{
    ArithOutcome, Deadline, DeleteOutcome, Fetch, MetaFetch, Observed, Presence, ReadFacts,
    Seconds, StoreMode, StoreOutcome, TouchOutcome,
};
use corecached_insight::{Access as Sample, Kind};

use super::access::Access;
use super::observed::run;
use super::observer::Observer;
use super::op::{Change, Op, Verb};
use super::outcome::{Changed, Outcome};
use super::reads::ReadLog;
use crate::ids::ShardId;

/// Runs an operation for which [`corecached_insight::Sampler::wants`] has returned true.
#[cold]
pub(super) fn sampled<'e>(access: &'e mut Access<'_>, op: &Op<'_>) -> Outcome<'e> {
    count_key(access.observer, op, access.now);
    if !access.observer.sampler.wants_access(op.hash.0) {
        return run(access, op);
    }
    if !access.observer.sampler.has_room() {
        access.observer.sampler.lose(1);
        return run(access, op);
    }
    let Verb::Change(change) = &op.verb else {
        note_get(access, op);
        return run(access, op);
    };
    let Outcome::Changed(changed) = run(access, op) else {
        return Outcome::Miss;
    };
    let found = access.engine.observe(op.key, op.hash, access.now);
    if let Some(kind) = kind_of(change, changed, &found) {
        let item = (found.item_bytes, found.deadline);
        access
            .observer
            .sampler
            .keep(sample(op, kind, item, access.now));
    }
    Outcome::Changed(changed)
}

/// Logs a get that was answered from the memory of another shard, its owner, if it is sampled. `found` is the item.
#[inline]
pub(crate) fn count_remote_read(
    access: &mut Access<'_>,
    log: (&mut ReadLog, ShardId),
    op: &Op<'_>,
    found: Option<&ReadFacts>,
) {
    if access.observer.sampler.wants(op.hash.0) {
        let item = found.map(|facts| (facts.item_bytes, facts.deadline));
        note_read(access.observer, log, op, item, access.now);
    }
}

#[cold]
fn note_read(
    observer: &mut Observer,
    (log, owner): (&mut ReadLog, ShardId),
    op: &Op<'_>,
    item: Option<(usize, Deadline)>,
    now: Seconds,
) {
    count_key(observer, op, now);
    if observer.sampler.wants_access(op.hash.0) {
        let kind = item.map_or(Kind::Miss, |_| Kind::Hit);
        let item = item.unwrap_or((0, Deadline::NEVER));
        log.add_sample(owner, sample(op, kind, item, now));
    }
}

fn count_key(observer: &mut Observer, op: &Op<'_>, now: Seconds) {
    let changes = matches!(op.verb, Verb::Change(_));
    observer.sampler.look(op.key, op.hash.0, changes, now.0);
}

/// Notes a lookup before it is done.
fn note_get(access: &mut Access<'_>, op: &Op<'_>) {
    let Verb::Get(fetch) = op.verb else { return };
    let found = access.engine.observe(op.key, op.hash, access.now);
    let is_there = found.presence == Presence::Live;
    // A lookup with a new deadline counts as touch.
    let (kind, deadline) = match fetch {
        Fetch::Quiet | Fetch::Inspect => return,
        Fetch::Touch(deadline) => (Kind::Use, deadline),
        Fetch::Meta(MetaFetch {
            deadline: Some(deadline),
            ..
        }) => (Kind::Use, deadline),
        Fetch::Count | Fetch::Meta(_) if is_there => (Kind::Hit, found.deadline),
        Fetch::Count | Fetch::Meta(_) => (Kind::Miss, Deadline::NEVER),
    };
    if is_there || kind == Kind::Miss {
        let item = (found.item_bytes, deadline);
        access
            .observer
            .sampler
            .keep(sample(op, kind, item, access.now));
    }
}

/// What a change did with its item; `None` if nothing. `found` is the item afterwards.
fn kind_of(change: &Change<'_>, changed: Changed, found: &Observed) -> Option<Kind> {
    if found.presence != Presence::Live {
        return Some(Kind::Remove);
    }
    match changed {
        Changed::Stored(StoreOutcome::Stored { .. }) => match change {
            Change::Store {
                mode: StoreMode::Append | StoreMode::Prepend,
                ..
            } => Some(Kind::Use),
            _ => Some(Kind::Store),
        },
        Changed::Counted(ArithOutcome::Number { created: true, .. }) => Some(Kind::Store),
        Changed::Counted(ArithOutcome::Number { .. })
        | Changed::Touched(TouchOutcome::Touched)
        | Changed::Deleted(DeleteOutcome::Deleted) => Some(Kind::Use),
        _ => None,
    }
}

fn sample(
    op: &Op<'_>,
    kind: Kind,
    (item_bytes, deadline): (usize, Deadline),
    now: Seconds,
) -> Sample {
    Sample {
        hash: op.hash.0,
        kind,
        bytes: u32::try_from(item_bytes).unwrap_or(u32::MAX),
        deadline: deadline.0,
        now: now.0,
    }
}

//! What operations lead to: as wanted, and as the engine says.

use corecached_engine::{Deadline, Hit, StoreMode, StoreOutcome};

use crate::core::Verb;
use crate::model::{ABSENT, Seen, State};
use crate::value::{self, HEAD_BYTES, is_number};

/// What an operation has led to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Done {
    /// The item is as wanted, with this cas unique if it is a new one.
    Changed(Option<u64>),
    Deleted,
    /// There is an item, which has stayed as it was.
    Present,
    Absent,
    /// There is no memory.
    Refused,
}

pub(crate) fn is_add(verb: Verb) -> bool {
    matches!(verb, Verb::Store(StoreMode::Add, ..))
}

/// The cas unique that the item must have.
pub(crate) fn compared(verb: Verb) -> Option<u64> {
    match verb {
        Verb::Store(StoreMode::Cas(cas), ..) => Some(cas),
        _ => None,
    }
}

pub(crate) fn stored(mode: StoreMode, outcome: StoreOutcome) -> Done {
    match outcome {
        StoreOutcome::Stored { cas, .. } => Done::Changed(Some(cas)),
        StoreOutcome::Exists => Done::Present,
        StoreOutcome::NotStored if mode == StoreMode::Add => Done::Present,
        StoreOutcome::NotStored | StoreOutcome::NotFound => Done::Absent,
        StoreOutcome::TooLarge | StoreOutcome::OutOfMemory => Done::Refused,
    }
}

/// The state that an operation leads to if it does something.
pub(crate) fn wanted(
    key: usize,
    verb: Verb,
    write: u64,
    since: u32,
    before: &State,
    lives: bool,
) -> State {
    let changed = State {
        cas: None,
        since,
        ..*before
    };
    match verb {
        Verb::Store(_, more, deadline) => State {
            is_present: true,
            write,
            len: HEAD_BYTES + more,
            flags: write as u32 ^ key as u32,
            deadline,
            cas: None,
            since,
        },
        Verb::Append(more) => State {
            len: before.len + more,
            ..changed
        },
        // What the item has besides stays; an item that is created has nothing.
        Verb::Count if lives => State { write, ..changed },
        Verb::Count => State {
            is_present: true,
            write,
            cas: None,
            since,
            ..ABSENT
        },
        Verb::Touch(deadline) => State {
            deadline,
            cas: before.cas,
            since,
            ..*before
        },
        _ => ABSENT,
    }
}

pub(crate) fn seen(key: usize, hit: &Hit<'_>) -> Seen {
    let value: Vec<u8> = hit.value_chunks().flatten().copied().collect();
    seen_value(key, &value, hit.client_flags(), hit.deadline(), hit.cas())
}

/// An item as a client sees it.
pub(crate) fn seen_value(
    key: usize,
    value: &[u8],
    flags: u32,
    deadline: Deadline,
    cas: u64,
) -> Seen {
    let write = value::write_of(key, value).unwrap_or_else(|wrong| panic!("key {key}: {wrong}"));
    let len = if is_number(key) { 0 } else { value.len() };
    Seen {
        write: Some(write),
        len,
        flags,
        deadline,
        cas,
    }
}

/// An item whose value was not asked for.
pub(crate) fn seen_facts(
    key: usize,
    value_bytes: usize,
    flags: u32,
    deadline: Deadline,
    cas: u64,
) -> Seen {
    let len = if is_number(key) { 0 } else { value_bytes };
    Seen {
        write: None,
        len,
        flags,
        deadline,
        cas,
    }
}

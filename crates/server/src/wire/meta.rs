//! Outcomes as replies to meta commands.
//!
//! Nothing is written or computed that no flag asks for: most requests want a value and nothing else. The ordinary
//! outcome of a quiet command becomes no bytes at all; errors and unexpected outcomes are always told.

use corecached_engine::{ArithOutcome, Deadline, DeleteOutcome, Seconds, StoreOutcome};
use corecached_protocol::meta::Flags;
use corecached_protocol::meta::reply::{self as meta, Key, Status};
use corecached_protocol::reply;

use super::value::ThenValue;
use crate::operation::outcome::{Changed, HitView};

/// The wishes of a meta command for its reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetaStyle<'a> {
    /// The command's flags as sent: the reply returns the facts that they ask for, in their order.
    pub(crate) flags: Flags<'a>,
    /// Whether the command's key came in base64.
    pub(crate) base64: bool,
    /// Length of the value that `ms` came with.
    pub(crate) value_bytes: u32,
    /// The deadline that `T` means.
    pub(crate) touched: Deadline,
    /// The deadline that `N` means.
    pub(crate) created: Deadline,
}

impl MetaStyle<'_> {
    /// The same style with `words`, a copy of its words.
    #[inline]
    pub(super) fn with_words<'b>(self, words: &'b [u8]) -> MetaStyle<'b> {
        MetaStyle {
            flags: self.flags.with_words(words),
            ..self
        }
    }
}

/// Appends the line of a hit of `mg`.
#[inline]
pub(super) fn hit(
    key: &[u8],
    style: &MetaStyle<'_>,
    hit: &impl HitView,
    now: Seconds,
    out: &mut Vec<u8>,
) -> Option<ThenValue> {
    let flags = &style.flags;
    // A client that has the value already, as its cas unique shows, is not sent the value again.
    let with_value =
        flags.has(b'v') && (!flags.has(b'C') || flags.compare_cas() != Some(hit.cas()));
    if flags.wants_flags_back() {
        meta::get_hit(out, flags, &facts(key, style, hit, with_value, now));
    } else {
        meta::bare_hit(out, with_value.then(|| hit.value_bytes()), marks(hit));
    }
    with_value.then_some(ThenValue(reply::CRLF))
}

#[inline]
fn marks(hit: &impl HitView) -> meta::Marks {
    meta::Marks {
        win_sent: hit.was_won(),
        stale: hit.is_stale(),
        won: hit.has_won(),
    }
}

fn facts<'k>(
    key: &'k [u8],
    style: &MetaStyle<'_>,
    hit: &impl HitView,
    with_value: bool,
    now: Seconds,
) -> meta::Hit<'k> {
    let before = if hit.is_new() {
        Deadline::NEVER
    } else {
        hit.deadline_before()
    };
    meta::Hit {
        key: stored_key(key, hit),
        value_bytes: hit.value_bytes(),
        with_value,
        client_flags: hit.client_flags(),
        cas: hit.cas(),
        ttl: ttl(before, now),
        ttl_touched: ttl(style.touched, now),
        ttl_created: hit.is_new().then(|| ttl(style.created, now)),
        fetched: hit.was_fetched(),
        idle_seconds: hit.idle_seconds(),
        marks: marks(hit),
    }
}

/// The key of an item, told as it came when the item was stored.
fn stored_key<'k>(key: &'k [u8], hit: &impl HitView) -> Key<'k> {
    Key {
        bytes: key,
        base64: hit.has_binary_key(),
    }
}

/// Seconds until `deadline`; 0 once it has passed.
fn ttl(deadline: Deadline, now: Seconds) -> Option<u32> {
    (deadline != Deadline::NEVER).then(|| deadline.0.saturating_sub(now.0))
}

/// Appends the whole answer to a hit of `me`.
#[cold]
pub(super) fn innards(key: &[u8], hit: &impl HitView, now: Seconds, out: &mut Vec<u8>) {
    let facts = meta::Innards {
        key: stored_key(key, hit),
        ttl: ttl(hit.deadline(), now),
        idle_seconds: hit.idle_seconds(),
        cas: hit.cas(),
        fetched: hit.was_fetched(),
        class: u32::from(hit.class_id()),
        item_bytes: hit.item_bytes(),
    };
    meta::debug(out, &facts);
}

/// Appends the line of a miss of `me`.
#[cold]
pub(super) fn no_innards(out: &mut Vec<u8>) {
    out.extend_from_slice(meta::EN);
}

/// Appends the line of a miss of `mg`.
pub(super) fn miss(key: &[u8], style: &MetaStyle<'_>, out: &mut Vec<u8>) {
    if !style.flags.is_quiet() {
        plain(key, style, Status::En, out);
    }
}

/// Appends that there is no memory for the new deadline of a hit of `mg`.
pub(super) fn out_of_memory(out: &mut Vec<u8>) {
    out.extend_from_slice(reply::OUT_OF_MEMORY);
}

/// Appends the reply to a change.
pub(super) fn changed(
    key: &[u8],
    style: &MetaStyle<'_>,
    changed: &Changed,
    now: Seconds,
    out: &mut Vec<u8>,
) {
    match changed {
        Changed::Stored(outcome) => stored(key, style, outcome, out),
        Changed::Refused(why) => stored(key, style, &StoreOutcome::from(*why), out),
        Changed::Deleted(outcome) => deleted(key, style, outcome, out),
        Changed::Counted(outcome) => counted(key, style, outcome, now, out),
        // No meta command touches an item without a lookup.
        Changed::Touched(_) => {}
    }
}

fn plain(key: &[u8], style: &MetaStyle<'_>, status: Status, out: &mut Vec<u8>) {
    meta::plain(out, status, &style.flags, key_of(key, style));
}

fn key_of<'k>(key: &'k [u8], style: &MetaStyle<'_>) -> Key<'k> {
    Key {
        bytes: key,
        base64: style.base64,
    }
}

/// Appends the reply to `ms`.
fn stored(key: &[u8], style: &MetaStyle<'_>, outcome: &StoreOutcome, out: &mut Vec<u8>) {
    let sent = style.value_bytes as usize;
    let (status, cas, value_bytes) = match *outcome {
        StoreOutcome::Stored { .. } if style.flags.is_quiet() => return,
        StoreOutcome::Stored { cas, value_bytes } => (Status::Hd, cas, value_bytes),
        StoreOutcome::NotStored => (Status::Ns, 0, sent),
        StoreOutcome::Exists => (Status::Ex, 0, sent),
        StoreOutcome::NotFound => (Status::Nf, 0, sent),
        StoreOutcome::TooLarge => return out.extend_from_slice(reply::TOO_LARGE),
        StoreOutcome::OutOfMemory => return out.extend_from_slice(reply::OUT_OF_MEMORY_STORING),
    };
    meta::set(
        out,
        status,
        &style.flags,
        key_of(key, style),
        cas,
        value_bytes,
    );
}

/// Appends the reply to `md`.
fn deleted(key: &[u8], style: &MetaStyle<'_>, outcome: &DeleteOutcome, out: &mut Vec<u8>) {
    let status = match outcome {
        DeleteOutcome::Deleted if style.flags.is_quiet() => return,
        DeleteOutcome::Deleted => Status::Hd,
        DeleteOutcome::NotFound => Status::Nf,
        DeleteOutcome::Exists => Status::Ex,
        DeleteOutcome::OutOfMemory => return out.extend_from_slice(reply::OUT_OF_MEMORY),
    };
    plain(key, style, status, out);
}

/// Appends the reply to `ma`.
fn counted(
    key: &[u8],
    style: &MetaStyle<'_>,
    outcome: &ArithOutcome,
    now: Seconds,
    out: &mut Vec<u8>,
) {
    match *outcome {
        ArithOutcome::Number { .. } if style.flags.is_quiet() => {}
        ArithOutcome::Number {
            value,
            cas,
            deadline,
            created,
        } => {
            let before = if created { Deadline::NEVER } else { deadline };
            let number = meta::Number {
                key: key_of(key, style),
                value,
                cas,
                ttl: ttl(before, now),
                ttl_touched: ttl(style.touched, now),
                ttl_created: created.then(|| ttl(style.created, now)),
            };
            meta::arith(out, &style.flags, &number);
        }
        ArithOutcome::NotFound => plain(key, style, Status::Nf, out),
        ArithOutcome::Exists => plain(key, style, Status::Ex, out),
        ArithOutcome::NonNumeric => out.extend_from_slice(reply::NON_NUMERIC),
        ArithOutcome::OutOfMemory if style.flags.has(b'N') => {
            out.extend_from_slice(meta::OUT_OF_MEMORY_CREATING);
        }
        ArithOutcome::OutOfMemory => out.extend_from_slice(reply::OUT_OF_MEMORY),
    }
}

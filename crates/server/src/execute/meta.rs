//! Outcomes as replies to meta commands.
//!
//! What is asked for by no flag is left unwritten and uncomputed: most requests want a value and nothing else. A quiet
//! command's ordinary outcome becomes no bytes at all; errors and unexpected outcomes are told in any case.

use corecached_engine::{ArithOutcome, Deadline, DeleteOutcome, Fetch, Hit, Seconds, StoreOutcome};
use corecached_protocol::meta::reply::{self as meta, Key, Status};
use corecached_protocol::reply;

use crate::op::MetaStyle;

/// The line of a hit of `mg`, or all of `me`. Returns whether the value follows.
#[inline]
pub(super) fn hit(
    style: &MetaStyle<'_>,
    hit: &Hit<'_>,
    fetch: Fetch,
    now: Seconds,
    out: &mut Vec<u8>,
) -> bool {
    if fetch == Fetch::Inspect {
        innards(hit, now, out);
        return false;
    }
    let flags = &style.flags;
    // A client that has the value already, by its cas unique, is not sent it again.
    let with_value =
        flags.has(b'v') && (!flags.has(b'C') || flags.compare_cas() != Some(hit.cas()));
    if flags.wants_flags_back() {
        full_hit(style, hit, with_value, now, out);
    } else {
        meta::bare_hit(out, with_value.then(|| hit.value_len()), marks(hit));
    }
    with_value
}

#[inline]
fn marks(hit: &Hit<'_>) -> meta::Marks {
    meta::Marks {
        win_sent: hit.was_won(),
        stale: hit.is_stale(),
        won: hit.has_won(),
    }
}

fn full_hit(
    style: &MetaStyle<'_>,
    hit: &Hit<'_>,
    with_value: bool,
    now: Seconds,
    out: &mut Vec<u8>,
) {
    let before = if hit.is_new() {
        Deadline::NEVER
    } else {
        hit.deadline_before()
    };
    let facts = meta::Hit {
        key: Key {
            bytes: hit.key(),
            base64: hit.has_binary_key(),
        },
        value_bytes: hit.value_len(),
        with_value,
        client_flags: hit.client_flags(),
        cas: hit.cas(),
        ttl: ttl(before, now),
        ttl_touched: ttl(style.touched, now),
        ttl_created: hit.is_new().then(|| ttl(style.created, now)),
        fetched: hit.fetched(),
        idle_seconds: hit.idle_seconds(),
        marks: marks(hit),
    };
    meta::get_hit(out, &style.flags, &facts);
}

/// Seconds until `deadline`; 0 once it has passed.
fn ttl(deadline: Deadline, now: Seconds) -> Option<u32> {
    (deadline != Deadline::NEVER).then(|| deadline.0.saturating_sub(now.0))
}

fn innards(hit: &Hit<'_>, now: Seconds, out: &mut Vec<u8>) {
    let facts = meta::Innards {
        key: Key {
            bytes: hit.key(),
            base64: hit.has_binary_key(),
        },
        ttl: ttl(hit.deadline(), now),
        idle_seconds: hit.idle_seconds(),
        cas: hit.cas(),
        fetched: hit.fetched(),
        class: u32::from(hit.class_id()),
        item_bytes: hit.item_bytes(),
    };
    meta::debug(out, &facts);
}

/// The line of a miss of `mg` or `me`.
pub(super) fn miss(key: &[u8], style: &MetaStyle<'_>, fetch: Fetch, out: &mut Vec<u8>) {
    if fetch == Fetch::Inspect {
        out.extend_from_slice(meta::EN);
    } else if !style.flags.is_quiet() {
        plain(key, style, Status::En, out);
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

/// The reply to `ms`.
pub(super) fn stored(key: &[u8], style: &MetaStyle<'_>, outcome: &StoreOutcome, out: &mut Vec<u8>) {
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

/// The reply to `md`.
pub(super) fn deleted(
    key: &[u8],
    style: &MetaStyle<'_>,
    outcome: &DeleteOutcome,
    out: &mut Vec<u8>,
) {
    let status = match outcome {
        DeleteOutcome::Deleted if style.flags.is_quiet() => return,
        DeleteOutcome::Deleted => Status::Hd,
        DeleteOutcome::NotFound => Status::Nf,
        DeleteOutcome::Exists => Status::Ex,
        DeleteOutcome::OutOfMemory => return out.extend_from_slice(reply::OUT_OF_MEMORY),
    };
    plain(key, style, status, out);
}

/// The reply to `ma`.
pub(super) fn arithmetic(
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

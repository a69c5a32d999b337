//! Runs one operation on one shard and has its outcome written by the protocol of the request.
//!
//! ```text
//!   Op --> engine --> outcome --> text     one file per protocol: the only places where outcomes become bytes
//!                             +-> meta
//!                             +-> binary
//! ```

mod binary;
mod meta;
mod stage;
mod text;
mod walk;

use std::os::fd::RawFd;

use corecached_engine::{
    ArithOutcome, DeleteOutcome, Engine, Fetch, Hit, ItemHandle, Lookup, Pin, ReassignOutcome,
    Seconds, Store, StoreOutcome, TouchOutcome, next_piece,
};
use corecached_protocol::binary::Status;
use corecached_protocol::reply;
use corecached_reactor::{Chain, Insert, Outgoing, Run};

use crate::cell::ShardId;
use crate::cell::{Pairs, ShardReport};
use crate::op::{Op, Refusal, ReplyStyle, Verb};
use crate::watch::{Named, Observer, PrefixRows, observed};

pub(crate) use stage::Grant;
pub(crate) use walk::Walked;

/// Values from this size on are sent from slab memory instead of being copied; docs/benchmarks.md has the measurement.
pub(crate) const SEND_IN_PLACE_BYTES: usize = 16 * 1024;

/// With so much in a buffer of replies, more values are sent from slab memory: nobody knows how long replies will be before
/// they are made, those to a whole batch of another shard come together, and what is copied lies outside `-m`.
const COPIED_BYTES_MAX: usize = 256 * 1024;
/// Values smaller than this are copied even so: they are not much larger than what is noted of one that is not.
const SEND_IN_PLACE_BYTES_MIN: usize = 512;

/// Exclusive access to a shard: the owner's turn, or a loan.
pub(crate) struct Access<'a> {
    /// The shard's cache.
    pub(crate) engine: &'a mut Engine,
    /// Who sees what is done to it.
    pub(crate) observer: &'a mut Observer,
    /// Which shard it is.
    pub(crate) shard: ShardId,
    /// The server's clock.
    pub(crate) now: Seconds,
    /// The connection that operations are run for; logs name it.
    pub(crate) descriptor: RawFd,
}

/// What an operation on a whole shard gives besides bytes.
#[derive(Debug)]
pub(crate) enum Part {
    /// The shard's statistics.
    Report(Box<ShardReport>),
    /// How far a walk has come.
    Walked(Walked),
    /// The shard's counts of some prefixes.
    Prefixes(PrefixRows),
    /// What has become of `slabs reassign`.
    Reassigned(ReassignOutcome),
    /// Memory for a large value.
    Granted(Box<Grant>),
}

/// Runs `op` and appends its reply, if it has one, to `out`.
#[inline]
pub(crate) fn execute(access: &mut Access<'_>, op: &Op<'_>, out: &mut Outgoing) -> Option<Part> {
    if access.observer.is_idle() {
        run(access, op, out)
    } else {
        observed(access, op, out)
    }
}

/// The same, seen by nobody.
#[inline]
pub(crate) fn run(access: &mut Access<'_>, op: &Op<'_>, out: &mut Outgoing) -> Option<Part> {
    let now = access.now;
    match op.verb {
        Verb::Get { fetch } => get(access, op, fetch, out),
        Verb::Store {
            mode,
            client_flags,
            deadline,
            extras,
            value,
        } => {
            let store = Store {
                mode,
                key: op.key,
                hash: op.hash,
                client_flags,
                deadline,
                extras,
                value,
            };
            let outcome = access.engine.store(&store, now);
            stored(op.key, &op.reply, &outcome, out);
        }
        Verb::Delete(delete) => {
            let outcome = access.engine.delete(op.key, op.hash, &delete, now);
            deleted(op, &outcome, out);
        }
        Verb::Arith(arith) => {
            let outcome = access.engine.arith(op.key, op.hash, &arith, now);
            arithmetic(op, &outcome, now, out);
        }
        Verb::Touch { deadline } => {
            let outcome = access.engine.touch(op.key, op.hash, deadline, now);
            touched(&op.reply, &outcome, out);
        }
        Verb::Refuse { drops_old, why, .. } => refuse(access, op, drops_old, why, out),
        Verb::FlushAll { at } => access.engine.flush_all(at, now),
        Verb::ResetStats => {
            access.engine.reset_stats();
            access.observer.reset();
        }
        Verb::Report => {
            let report = ShardReport::of(access.shard, access.engine);
            return Some(Part::Report(Box::new(report)));
        }
        Verb::Prefixes { from } => return Some(Part::Prefixes(access.observer.prefixes(from))),
        Verb::Reassign {
            source,
            destination,
        } => {
            let outcome = access.engine.reassign(source, destination, now);
            access.observer.collect(access.engine);
            return Some(Part::Reassigned(outcome));
        }
        Verb::Walk(step) => return Some(Part::Walked(walk::step(access, step, out))),
        Verb::Stage(step) => return stage::step(access, op, step, out),
        Verb::Unpin { pin } => {
            // SAFETY: the shard that has sent the value made these bits of its only pin, and the owner, which made the pin,
            // executes the operation once.
            access.engine.unpin(unsafe { Pin::from_bits(pin) });
        }
    }
    None
}

#[inline]
fn get(access: &mut Access<'_>, op: &Op<'_>, fetch: Fetch, out: &mut Outgoing) {
    let hit = match access.engine.fetch(op.key, op.hash, access.now, fetch) {
        Lookup::Hit(hit) => hit,
        Lookup::Miss => return missed(op, fetch, out),
        Lookup::OutOfMemory => return untouched(access, op, out),
    };
    let line_end: &[u8] = match &op.reply {
        ReplyStyle::Text { with_cas } => {
            text::hit(op.key, &hit, *with_cas, &mut out.bytes);
            reply::CRLF
        }
        ReplyStyle::Meta(style) => {
            if !meta::hit(style, &hit, fetch, access.now, &mut out.bytes) {
                return;
            }
            reply::CRLF
        }
        ReplyStyle::Binary(head) => {
            if !binary::hit(*head, op.key, &hit, &mut out.bytes) {
                return;
            }
            b""
        }
        ReplyStyle::None => return,
    };
    let value_bytes = hit.value_len();
    if value_bytes >= SEND_IN_PLACE_BYTES
        || (out.bytes.len() > COPIED_BYTES_MAX && value_bytes >= SEND_IN_PLACE_BYTES_MIN)
    {
        let item = hit.handle();
        send_in_place(access, item, out);
    } else {
        copy_value(&hit, &mut out.bytes);
    }
    out.bytes.extend_from_slice(line_end);
}

#[inline]
fn missed(op: &Op<'_>, fetch: Fetch, out: &mut Outgoing) {
    match &op.reply {
        ReplyStyle::Binary(head) => binary::miss(*head, op.key, &mut out.bytes),
        ReplyStyle::Meta(style) => meta::miss(op.key, style, fetch, &mut out.bytes),
        // The line that ends the reply says it all.
        ReplyStyle::Text { .. } | ReplyStyle::None => {}
    }
}

/// There is no memory for the item's new deadline.
#[cold]
fn untouched(access: &mut Access<'_>, op: &Op<'_>, out: &mut Outgoing) {
    match &op.reply {
        ReplyStyle::Binary(head) => binary::error(*head, Status::OutOfMemory, &mut out.bytes),
        ReplyStyle::Meta(_) => out.bytes.extend_from_slice(reply::OUT_OF_MEMORY),
        // One of the keys of `gat`: a line of its own between the others would be taken for the end. The client gets the
        // value, which lives as long as it did before.
        ReplyStyle::Text { .. } => get(access, op, Fetch::Quiet, out),
        ReplyStyle::None => {}
    }
}

#[inline]
fn copy_value(hit: &Hit<'_>, out: &mut Vec<u8>) {
    if let Some(value) = hit.single_chunk() {
        out.extend_from_slice(value);
        return;
    }
    for chunk in hit.value_chunks() {
        out.extend_from_slice(chunk);
    }
}

fn send_in_place(access: &mut Access<'_>, item: ItemHandle, out: &mut Outgoing) {
    let (pin, pinned) = access.engine.pin(item);
    let chain = (pinned.link != 0).then_some(Chain {
        base: pinned.base,
        link: pinned.link,
        follow: next_piece,
    });
    let first = Run {
        ptr: pinned.first.ptr,
        len: pinned.first.len,
        chain,
    };
    let cookie = PinCookie {
        shard: access.shard,
        pin,
    };
    let (at, length) = (out.bytes.len(), pinned.value_bytes);
    // SAFETY: a pinned value stays as it is, and where it is, until it is unpinned, and what is appended lies behind. Whoever
    // unpins it has taken the insert for its cookie (`PinCookie::of`), and segments outlive the shards.
    let insert = unsafe { Insert::new(at, length, first, cookie.pack()) };
    out.inserts.push(insert);
}

/// The pin of a value, as the cookie of its insert carries it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PinCookie {
    /// The shard whose memory it is.
    pub(crate) shard: ShardId,
    /// The pin.
    pub(crate) pin: Pin,
}

impl PinCookie {
    /// `1 | shard (16 bits) | item (32 bits)`; never 0, which marks an insert that pins nothing.
    fn pack(self) -> u64 {
        1 << 48 | u64::from(self.shard.0) << 32 | u64::from(self.pin.into_bits())
    }

    /// What `insert` pins, if it does. It is taken, as its memory is not to be read any more.
    pub(crate) fn of(insert: Insert) -> Option<PinCookie> {
        let cookie = insert.into_cookie();
        (cookie != 0).then(|| PinCookie {
            shard: ShardId((cookie >> 32) as u16),
            // SAFETY: the insert is taken for its cookie, which `pack` has made of the only pin. It goes back to the engine
            // of the shard that it names.
            pin: unsafe { Pin::from_bits(cookie as u32) },
        })
    }
}

fn refuse(access: &mut Access<'_>, op: &Op<'_>, drops_old: bool, why: Refusal, out: &mut Outgoing) {
    let too_large = why == Refusal::TooLarge;
    access.engine.refuse_store(match why {
        Refusal::TooLarge => corecached_engine::Refusal::TooLarge,
        Refusal::NoMemory => corecached_engine::Refusal::OutOfMemory,
    });
    if drops_old {
        access.engine.drop_old(op.key, op.hash, access.now);
    }
    if let ReplyStyle::Binary(head) = op.reply {
        return binary::refused(head, why, &mut out.bytes);
    }
    let outcome = if too_large {
        StoreOutcome::TooLarge
    } else {
        StoreOutcome::OutOfMemory
    };
    stored(op.key, &op.reply, &outcome, out);
}

/// Writes the outcome of a storage command.
#[inline]
pub(crate) fn stored(
    key: &[u8],
    reply: &ReplyStyle<'_>,
    outcome: &StoreOutcome,
    out: &mut Outgoing,
) {
    match reply {
        ReplyStyle::Meta(style) => meta::stored(key, style, outcome, &mut out.bytes),
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(text::stored(outcome)),
        ReplyStyle::Binary(head) => binary::stored(*head, outcome, &mut out.bytes),
        ReplyStyle::None => {}
    }
}

fn deleted(op: &Op<'_>, outcome: &DeleteOutcome, out: &mut Outgoing) {
    match &op.reply {
        ReplyStyle::Meta(style) => meta::deleted(op.key, style, outcome, &mut out.bytes),
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(text::deleted(outcome)),
        ReplyStyle::Binary(head) => binary::deleted(*head, outcome, &mut out.bytes),
        ReplyStyle::None => {}
    }
}

fn arithmetic(op: &Op<'_>, outcome: &ArithOutcome, now: Seconds, out: &mut Outgoing) {
    match &op.reply {
        ReplyStyle::Meta(style) => meta::arithmetic(op.key, style, outcome, now, &mut out.bytes),
        ReplyStyle::Text { .. } => text::arithmetic(outcome, &mut out.bytes),
        ReplyStyle::Binary(head) => binary::arithmetic(*head, outcome, &mut out.bytes),
        ReplyStyle::None => {}
    }
}

fn touched(reply: &ReplyStyle<'_>, outcome: &TouchOutcome, out: &mut Outgoing) {
    match reply {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(text::touched(outcome)),
        // TOUCH answers with the item's flags and cas unique: it is a fetch there.
        ReplyStyle::Binary(_) => {}
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes that `flush_all` is done.
pub(crate) fn flushed(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::OK),
        ReplyStyle::Binary(head) => binary::done(*head, 0, &mut out.bytes),
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes that `flush_all` is not allowed.
pub(crate) fn flush_refused(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::FLUSH_DISABLED),
        ReplyStyle::Binary(head) => binary::error(*head, Status::AuthError, &mut out.bytes),
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes that `stats reset` is done.
pub(crate) fn counters_reset(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::RESET),
        ReplyStyle::Binary(head) => binary::done(*head, 0, &mut out.bytes),
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes the statistics that were asked for.
pub(crate) fn statistics(reply: &ReplyStyle<'_>, pairs: &Pairs, out: &mut Outgoing) {
    some_statistics(reply, pairs, out);
    statistics_end(reply, out);
}

/// Writes some of them.
pub(crate) fn some_statistics(reply: &ReplyStyle<'_>, pairs: &Pairs, out: &mut Outgoing) {
    match reply {
        ReplyStyle::Text { .. } => text::statistics(pairs, &mut out.bytes),
        ReplyStyle::Binary(head) => binary::statistics(*head, pairs, &mut out.bytes),
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes what ends them.
pub(crate) fn statistics_end(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::END),
        ReplyStyle::Binary(head) => binary::statistics_end(*head, &mut out.bytes),
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes the beginning of a statistic whose value, of so many bytes, is to follow; only the binary protocol has one.
pub(crate) fn long_statistic(
    style: &ReplyStyle<'_>,
    name: &[u8],
    value_bytes: usize,
    out: &mut Outgoing,
) {
    if let ReplyStyle::Binary(head) = style {
        binary::long_statistic(*head, name, value_bytes, &mut out.bytes);
    }
}

/// Writes that there are no statistics of the name asked for.
pub(crate) fn no_such_statistics(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::ERROR),
        ReplyStyle::Binary(head) => binary::error(*head, Status::NotFound, &mut out.bytes),
        ReplyStyle::Meta(_) | ReplyStyle::None => {}
    }
}

/// Writes that `stats detail` is turned on or off.
pub(crate) fn detail_turned(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::OK),
        _ => statistics(style, &Pairs::default(), out),
    }
}

/// Writes that `stats detail` is not allowed.
pub(crate) fn detail_refused(style: &ReplyStyle<'_>, out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(reply::STATS_DETAIL_DISABLED),
        _ => no_such_statistics(style, out),
    }
}

/// Writes lines of `stats detail dump`.
pub(crate) fn prefix_lines(prefixes: &[Named], out: &mut Vec<u8>) {
    text::prefix_lines(prefixes, out);
}

/// Writes what has become of `slabs reassign` on all shards.
pub(crate) fn reassigned(style: &ReplyStyle<'_>, shards: &[ReassignOutcome], out: &mut Outgoing) {
    match style {
        ReplyStyle::Text { .. } => out.bytes.extend_from_slice(text::reassigned(shards)),
        // Only text has the command.
        ReplyStyle::None | ReplyStyle::Binary(_) | ReplyStyle::Meta(_) => {}
    }
}

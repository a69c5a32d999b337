//! Runs one operation on one shard and writes its reply: the place where engine outcomes become text bytes.

use corecached_engine::{
    Arith, ArithOutcome, DeleteOutcome, Engine, Fetch, Hit, ItemHandle, Seconds, Store, StoreMode,
    StoreOutcome, TouchOutcome,
};
use corecached_protocol::reply;
use corecached_reactor::{Insert, Outgoing};

use crate::op::{Op, Refusal, Verb};
use crate::shard::ShardId;
use crate::stats::ShardReport;

/// Values from this size on are sent from slab memory instead of being copied; docs/benchmarks.md has the measurement.
pub(crate) const SEND_IN_PLACE_BYTES: usize = 16 * 1024;

/// Exclusive access to a shard: the owner's turn, or a loan.
pub(crate) struct Access<'a> {
    /// The shard's cache.
    pub(crate) engine: &'a mut Engine,
    /// Which shard it is.
    pub(crate) shard: ShardId,
    /// The server's clock.
    pub(crate) now: Seconds,
}

/// Runs `op` and appends its reply, if it has one, to `out`.
///
/// Returns the statistics for [`Verb::Report`].
pub(crate) fn execute(
    access: &mut Access<'_>,
    op: &Op<'_>,
    out: &mut Outgoing,
) -> Option<Box<ShardReport>> {
    let now = access.now;
    match op.verb {
        Verb::Get { with_cas, touch } => get(
            access,
            op,
            with_cas,
            touch.map_or(Fetch::Count, Fetch::Touch),
            out,
        ),
        Verb::Store {
            mode,
            client_flags,
            deadline,
            value,
        } => {
            let store = Store {
                mode,
                key: op.key,
                hash: op.hash,
                client_flags,
                deadline,
                value,
            };
            let outcome = access.engine.store(&store, now);
            say(op, out, stored(&outcome));
        }
        Verb::Delete => {
            let outcome = access.engine.delete(op.key, op.hash, None, now);
            say(op, out, deleted(&outcome));
        }
        Verb::Arith {
            op: direction,
            delta,
        } => {
            let arith = Arith {
                op: direction,
                delta,
                compare: None,
            };
            let outcome = access.engine.arith(op.key, op.hash, arith, now);
            arithmetic(op, &outcome, out);
        }
        Verb::Touch { deadline } => {
            let outcome = access.engine.touch(op.key, op.hash, deadline, now);
            say(op, out, touched(&outcome));
        }
        Verb::Refuse { mode, why } => refuse(access, op, mode, why, out),
        Verb::FlushAll { at } => access.engine.flush_all(at, now),
        Verb::ResetStats => access.engine.reset_stats(),
        Verb::Report => return Some(Box::new(ShardReport::of(access.shard, access.engine))),
        Verb::Unpin { item } => access.engine.unpin(item),
    }
    None
}

#[inline]
fn say(op: &Op<'_>, out: &mut Outgoing, line: &[u8]) {
    if !op.quiet {
        out.bytes.extend_from_slice(line);
    }
}

#[inline]
fn get(access: &mut Access<'_>, op: &Op<'_>, with_cas: bool, fetch: Fetch, out: &mut Outgoing) {
    let Some(hit) = access.engine.get(op.key, op.hash, access.now, fetch) else {
        return;
    };
    let cas = with_cas.then(|| hit.cas());
    reply::value_header(
        &mut out.bytes,
        op.key,
        hit.client_flags(),
        hit.value_len(),
        cas,
    );
    if hit.value_len() >= SEND_IN_PLACE_BYTES {
        let item = hit.handle();
        send_in_place(access, item, out);
    } else {
        copy_value(&hit, &mut out.bytes);
    }
    out.bytes.extend_from_slice(b"\r\n");
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
    let pinned = access.engine.pin(item);
    let at = out.bytes.len();
    out.inserts
        .extend(pinned.pieces().iter().map(|piece| Insert {
            at,
            ptr: piece.ptr,
            len: piece.len,
            cookie: 0,
        }));
    if let Some(last) = out.inserts.last_mut() {
        last.cookie = PinCookie {
            shard: access.shard,
            item,
        }
        .pack();
    }
}

/// Names a pinned item in the cookie of the last insert of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PinCookie {
    /// The shard whose memory it is.
    pub(crate) shard: ShardId,
    /// The item.
    pub(crate) item: ItemHandle,
}

impl PinCookie {
    /// `1 | shard (16 bits) | item (32 bits)`; never 0, which marks an insert that ends no value.
    fn pack(self) -> u64 {
        1 << 48 | u64::from(self.shard.0) << 32 | u64::from(self.item.to_bits())
    }

    /// What `insert` is the end of, if it ends a value.
    pub(crate) fn of(insert: &Insert) -> Option<PinCookie> {
        let cookie = insert.cookie;
        (cookie != 0).then(|| PinCookie {
            shard: ShardId((cookie >> 32) as u16),
            item: ItemHandle::from_bits(cookie as u32),
        })
    }
}

fn arithmetic(op: &Op<'_>, outcome: &ArithOutcome, out: &mut Outgoing) {
    if op.quiet {
        return;
    }
    let line = match outcome {
        ArithOutcome::Number { value, .. } => return reply::number_line(&mut out.bytes, *value),
        ArithOutcome::NotFound => reply::NOT_FOUND,
        ArithOutcome::Exists => reply::EXISTS,
        ArithOutcome::NonNumeric => reply::NON_NUMERIC,
        ArithOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    };
    out.bytes.extend_from_slice(line);
}

fn refuse(access: &mut Access<'_>, op: &Op<'_>, mode: StoreMode, why: Refusal, out: &mut Outgoing) {
    access
        .engine
        .refuse_store(op.key, op.hash, mode, why == Refusal::TooLarge, access.now);
    say(
        op,
        out,
        if why == Refusal::TooLarge {
            reply::TOO_LARGE
        } else {
            reply::OUT_OF_MEMORY_STORING
        },
    );
}

/// The reply line of a storage command.
pub(crate) fn stored(outcome: &StoreOutcome) -> &'static [u8] {
    match outcome {
        StoreOutcome::Stored { .. } => reply::STORED,
        StoreOutcome::NotStored => reply::NOT_STORED,
        StoreOutcome::Exists => reply::EXISTS,
        StoreOutcome::NotFound => reply::NOT_FOUND,
        StoreOutcome::TooLarge => reply::TOO_LARGE,
        StoreOutcome::OutOfMemory => reply::OUT_OF_MEMORY_STORING,
    }
}

fn deleted(outcome: &DeleteOutcome) -> &'static [u8] {
    match outcome {
        DeleteOutcome::Deleted => reply::DELETED,
        DeleteOutcome::NotFound => reply::NOT_FOUND,
        DeleteOutcome::Exists => reply::EXISTS,
    }
}

fn touched(outcome: &TouchOutcome) -> &'static [u8] {
    match outcome {
        TouchOutcome::Touched => reply::TOUCHED,
        TouchOutcome::NotFound => reply::NOT_FOUND,
    }
}

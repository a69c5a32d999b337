//! Outcomes as packets. A quiet opcode is not answered when all went as asked: a store or a deletion that is done, a
//! fetch that found nothing. Everything else it answers.

use corecached_engine::{ArithOutcome, DeleteOutcome, Hit, StoreOutcome};
use corecached_protocol::binary::{Head, Opcode, Status, reply};

use crate::cell::Pairs;
use crate::op::Refusal;

const NO_MEMORY_STORING: &[u8] = b"Out of memory allocating item";
const NO_MEMORY_COUNTING: &[u8] = b"Out of memory incrementing value";

/// What comes before the value of a hit; whether the value follows.
#[inline]
pub(super) fn hit(head: Head, key: &[u8], hit: &Hit<'_>, out: &mut Vec<u8>) -> bool {
    let opcode = opcode(head);
    if opcode == Opcode::Touch {
        reply::touched(out, head, hit.client_flags(), hit.cas());
        return false;
    }
    let key = if opcode.returns_key() { key } else { b"" };
    reply::hit(
        out,
        head,
        key,
        hit.client_flags(),
        hit.value_len(),
        hit.cas(),
    );
    true
}

/// Appends what a fetch of a key that is not there is answered with.
#[inline]
pub(super) fn miss(head: Head, key: &[u8], out: &mut Vec<u8>) {
    let opcode = opcode(head);
    if opcode.is_quiet() {
        return;
    }
    if opcode.returns_key() {
        reply::miss_with_key(out, head, key);
    } else {
        reply::error(out, head, Status::NotFound);
    }
}

/// Appends the reply to a storage packet.
#[inline]
pub(super) fn stored(head: Head, outcome: &StoreOutcome, out: &mut Vec<u8>) {
    let status = match outcome {
        StoreOutcome::Stored { cas, .. } => return done(head, *cas, out),
        StoreOutcome::NotStored => not_stored(head),
        StoreOutcome::Exists => Status::Exists,
        StoreOutcome::NotFound => Status::NotFound,
        StoreOutcome::TooLarge if joins(head) => Status::NotStored,
        StoreOutcome::TooLarge => Status::TooLarge,
        StoreOutcome::OutOfMemory => return no_memory(head, NO_MEMORY_STORING, out),
    };
    reply::error(out, head, status);
}

/// Appends the reply to a storage packet whose value was not taken.
pub(super) fn refused(head: Head, why: Refusal, out: &mut Vec<u8>) {
    match why {
        Refusal::TooLarge => reply::error(out, head, Status::TooLarge),
        Refusal::NoMemory => no_memory(head, NO_MEMORY_STORING, out),
    }
}

/// Whether the value is joined to the one that is there: then the result can be too large although the value is not.
fn joins(head: Head) -> bool {
    matches!(
        opcode(head),
        Opcode::Append | Opcode::AppendQ | Opcode::Prepend | Opcode::PrependQ
    )
}

/// memcached's words for it depend on what there is no memory for.
fn no_memory(head: Head, text: &[u8], out: &mut Vec<u8>) {
    reply::body(out, head, Status::OutOfMemory, text);
}

/// The status of a condition that does not hold: each opcode has its own.
fn not_stored(head: Head) -> Status {
    match opcode(head) {
        Opcode::Add | Opcode::AddQ => Status::Exists,
        Opcode::Replace | Opcode::ReplaceQ => Status::NotFound,
        _ => Status::NotStored,
    }
}

/// Appends the reply to DELETE.
pub(super) fn deleted(head: Head, outcome: &DeleteOutcome, out: &mut Vec<u8>) {
    let status = match outcome {
        DeleteOutcome::Deleted => return done(head, 0, out),
        DeleteOutcome::NotFound => Status::NotFound,
        DeleteOutcome::Exists => Status::Exists,
        DeleteOutcome::OutOfMemory => Status::OutOfMemory,
    };
    reply::error(out, head, status);
}

/// Appends the reply to INCR and DECR.
pub(super) fn arithmetic(head: Head, outcome: &ArithOutcome, out: &mut Vec<u8>) {
    let status = match outcome {
        ArithOutcome::Number { .. } if opcode(head).is_quiet() => return,
        ArithOutcome::Number { value, cas, .. } => return reply::number(out, head, *value, *cas),
        ArithOutcome::NotFound => Status::NotFound,
        ArithOutcome::Exists => Status::Exists,
        ArithOutcome::NonNumeric => Status::NonNumeric,
        ArithOutcome::OutOfMemory => return no_memory(head, NO_MEMORY_COUNTING, out),
    };
    reply::error(out, head, status);
}

/// Appends a packet for each statistic.
pub(super) fn statistics(head: Head, pairs: &Pairs, out: &mut Vec<u8>) {
    for (name, value) in pairs.iter() {
        reply::stat(out, head, name, value);
    }
}

/// Appends the packet that ends statistics.
pub(super) fn statistics_end(head: Head, out: &mut Vec<u8>) {
    reply::done(out, head, 0);
}

/// Appends the beginning of a packet with a statistic, whose value of so many bytes is to follow.
pub(super) fn long_statistic(head: Head, name: &[u8], value_bytes: usize, out: &mut Vec<u8>) {
    reply::stat_begin(out, head, name, value_bytes);
}

/// Appends the reply to something that was done.
pub(super) fn done(head: Head, cas: u64, out: &mut Vec<u8>) {
    if !opcode(head).is_quiet() {
        reply::done(out, head, cas);
    }
}

/// Appends an error.
pub(super) fn error(head: Head, status: Status, out: &mut Vec<u8>) {
    reply::error(out, head, status);
}

/// Only packets with an opcode that exists become operations.
#[inline]
fn opcode(head: Head) -> Opcode {
    Opcode::from_byte(head.opcode).unwrap_or(Opcode::Noop)
}

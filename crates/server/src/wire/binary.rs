//! Outcomes as packets. A quiet opcode is not answered in the ordinary case: a store or a deletion that is done, a
//! fetch that found nothing. All other outcomes are answered.

use corecached_engine::{ArithOutcome, DeleteOutcome, StoreOutcome, StoreRefusal};
use corecached_protocol::binary::{Head, Opcode, Status, reply};

use super::notice::Notice;
use super::value::ThenValue;
use crate::operation::Pairs;
use crate::operation::outcome::{Changed, HitView};

const NO_MEMORY_STORING: &[u8] = b"Out of memory allocating item";
const NO_MEMORY_COUNTING: &[u8] = b"Out of memory incrementing value";

/// Appends the bytes before the value of a hit, or the whole reply if the value is not told. Returns the bytes behind
/// the value.
#[inline]
pub(super) fn hit(
    key: &[u8],
    head: Head,
    hit: &impl HitView,
    out: &mut Vec<u8>,
) -> Option<ThenValue> {
    let opcode = opcode(head);
    if opcode == Opcode::Touch {
        reply::touched(out, head, hit.client_flags(), hit.cas());
        return None;
    }
    let key = if opcode.returns_key() { key } else { b"" };
    reply::hit(
        out,
        head,
        key,
        hit.client_flags(),
        hit.value_bytes(),
        hit.cas(),
    );
    Some(ThenValue(b""))
}

/// Appends the reply to a fetch of a key that is not there.
#[inline]
pub(super) fn miss(key: &[u8], head: Head, out: &mut Vec<u8>) {
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

/// Appends that there is no memory for the new deadline of a hit.
pub(super) fn out_of_memory(head: Head, out: &mut Vec<u8>) {
    reply::error(out, head, Status::OutOfMemory);
}

/// Appends the reply to a change.
#[inline]
pub(super) fn changed(head: Head, changed: &Changed, out: &mut Vec<u8>) {
    match changed {
        Changed::Stored(outcome) => stored(head, outcome, out),
        Changed::Refused(why) => refused(head, *why, out),
        Changed::Deleted(outcome) => deleted(head, outcome, out),
        Changed::Counted(outcome) => counted(head, outcome, out),
        // TOUCH is a fetch here, since it answers with the item's flags and cas unique.
        Changed::Touched(_) => {}
    }
}

/// Appends the reply to a storage packet.
#[inline]
fn stored(head: Head, outcome: &StoreOutcome, out: &mut Vec<u8>) {
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
fn refused(head: Head, why: StoreRefusal, out: &mut Vec<u8>) {
    match why {
        StoreRefusal::TooLarge => reply::error(out, head, Status::TooLarge),
        StoreRefusal::OutOfMemory => no_memory(head, NO_MEMORY_STORING, out),
    }
}

/// Whether the value is joined to the one that is there. If so, the result can be too large although the value is not.
fn joins(head: Head) -> bool {
    matches!(
        opcode(head),
        Opcode::Append | Opcode::AppendQ | Opcode::Prepend | Opcode::PrependQ
    )
}

/// Appends that there is no memory; the words depend on the thing that there is no memory for, as in memcached.
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
fn deleted(head: Head, outcome: &DeleteOutcome, out: &mut Vec<u8>) {
    let status = match outcome {
        DeleteOutcome::Deleted => return done(head, 0, out),
        DeleteOutcome::NotFound => Status::NotFound,
        DeleteOutcome::Exists => Status::Exists,
        DeleteOutcome::OutOfMemory => Status::OutOfMemory,
    };
    reply::error(out, head, status);
}

/// Appends the reply to INCR and DECR.
fn counted(head: Head, outcome: &ArithOutcome, out: &mut Vec<u8>) {
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

/// Appends a reply to a command that is not about a key.
pub(super) fn notice(head: Head, notice: Notice<'_>, out: &mut Vec<u8>) {
    match notice {
        Notice::Flushed | Notice::CountersReset => done(head, 0, out),
        Notice::FlushRefused => reply::error(out, head, Status::AuthError),
        // Extras are a number in any case.
        Notice::FlushUnreadable => reply::error(out, head, Status::Invalid),
        Notice::Statistics(pairs) => statistics(head, pairs, out),
        // One empty packet ends statistics; it is also the whole answer to `stats detail on`.
        Notice::StatisticsEnd | Notice::DetailTurned => reply::done(out, head, 0),
        Notice::LongStatistic { name, value_bytes } => {
            reply::stat_begin(out, head, name, value_bytes);
        }
        Notice::NoSuchStatistics | Notice::DetailRefused | Notice::HotKeysRefused => {
            reply::error(out, head, Status::NotFound);
        }
        // The command exists only in text.
        Notice::Reassigned(_) => {}
    }
}

/// Appends a packet for each statistic.
fn statistics(head: Head, pairs: &Pairs, out: &mut Vec<u8>) {
    for (name, value) in pairs.iter() {
        reply::stat(out, head, name, value);
    }
}

/// Appends the reply to a command that was done.
fn done(head: Head, cas: u64, out: &mut Vec<u8>) {
    if !opcode(head).is_quiet() {
        reply::done(out, head, cas);
    }
}

/// The opcode of a packet. Only packets with an opcode that exists become operations.
#[inline]
fn opcode(head: Head) -> Opcode {
    Opcode::from_byte(head.opcode).unwrap_or(Opcode::Noop)
}

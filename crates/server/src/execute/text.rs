//! Outcomes as classic text.

use corecached_engine::{
    ArithOutcome, DeleteOutcome, Hit, ReassignOutcome, StoreOutcome, TouchOutcome,
};
use corecached_protocol::reply;

use crate::cell::Pairs;
use crate::watch::Named;

/// The line before the value of a hit.
#[inline]
pub(super) fn hit(key: &[u8], hit: &Hit<'_>, with_cas: bool, out: &mut Vec<u8>) {
    let cas = with_cas.then(|| hit.cas());
    reply::value_header(out, key, hit.client_flags(), hit.value_len(), cas);
}

/// The reply line of a storage command.
#[inline]
pub(super) fn stored(outcome: &StoreOutcome) -> &'static [u8] {
    match outcome {
        StoreOutcome::Stored { .. } => reply::STORED,
        StoreOutcome::NotStored => reply::NOT_STORED,
        StoreOutcome::Exists => reply::EXISTS,
        StoreOutcome::NotFound => reply::NOT_FOUND,
        StoreOutcome::TooLarge => reply::TOO_LARGE,
        StoreOutcome::OutOfMemory => reply::OUT_OF_MEMORY_STORING,
    }
}

/// The reply line of `delete`.
pub(super) fn deleted(outcome: &DeleteOutcome) -> &'static [u8] {
    match outcome {
        DeleteOutcome::Deleted => reply::DELETED,
        DeleteOutcome::NotFound => reply::NOT_FOUND,
        DeleteOutcome::Exists => reply::EXISTS,
        DeleteOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    }
}

/// Appends the reply to `incr` and `decr`.
pub(super) fn arithmetic(outcome: &ArithOutcome, out: &mut Vec<u8>) {
    let line = match outcome {
        ArithOutcome::Number { value, .. } => return reply::number_line(out, *value),
        ArithOutcome::NotFound => reply::NOT_FOUND,
        ArithOutcome::Exists => reply::EXISTS,
        ArithOutcome::NonNumeric => reply::NON_NUMERIC,
        ArithOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    };
    out.extend_from_slice(line);
}

/// The reply line of `touch`.
pub(super) fn touched(outcome: &TouchOutcome) -> &'static [u8] {
    match outcome {
        TouchOutcome::Touched => reply::TOUCHED,
        TouchOutcome::NotFound => reply::NOT_FOUND,
        TouchOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    }
}

/// Appends a line for each statistic.
pub(super) fn statistics(pairs: &Pairs, out: &mut Vec<u8>) {
    for (name, value) in pairs.iter() {
        reply::stat_line(out, name, value);
    }
}

/// Appends lines of `stats detail dump`.
pub(super) fn prefix_lines(prefixes: &[Named], out: &mut Vec<u8>) {
    for (prefix, counts) in prefixes {
        out.extend_from_slice(b"PREFIX ");
        out.extend_from_slice(prefix);
        for (name, count) in [
            (" get ", counts.get),
            (" hit ", counts.hit),
            (" set ", counts.set),
            (" del ", counts.del),
        ] {
            out.extend_from_slice(name.as_bytes());
            reply::number(out, count);
        }
        out.extend_from_slice(reply::CRLF);
    }
}

/// The reply line of `slabs reassign`: a page that moves anywhere is success.
pub(super) fn reassigned(shards: &[ReassignOutcome]) -> &'static [u8] {
    let any = |outcome| shards.contains(&outcome);
    if any(ReassignOutcome::Started) {
        reply::OK
    } else if any(ReassignOutcome::Busy) {
        reply::REASSIGN_BUSY
    } else if any(ReassignOutcome::Same) {
        reply::REASSIGN_SAME
    } else if any(ReassignOutcome::BadClass) {
        reply::REASSIGN_BAD_CLASS
    } else {
        reply::REASSIGN_NO_SPARE
    }
}

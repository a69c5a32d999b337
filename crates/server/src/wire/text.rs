//! Outcomes as classic text.

use corecached_engine::{
    ArithOutcome, DeleteOutcome, ReassignOutcome, StoreOutcome, StoreRefusal, TouchOutcome,
};
use corecached_protocol::reply;

use super::notice::Notice;
use super::value::ThenValue;
use crate::operation::Pairs;
use crate::operation::outcome::{Changed, HitView};

/// Appends the line before the value of a hit.
#[inline]
pub(super) fn hit(key: &[u8], hit: &impl HitView, with_cas: bool, out: &mut Vec<u8>) -> ThenValue {
    let cas = with_cas.then(|| hit.cas());
    reply::value_header(out, key, hit.client_flags(), hit.value_bytes(), cas);
    ThenValue(reply::CRLF)
}

/// Appends the reply to a change.
#[inline]
pub(super) fn changed(changed: &Changed, out: &mut Vec<u8>) {
    let line = match changed {
        Changed::Stored(outcome) => stored(outcome),
        Changed::Refused(StoreRefusal::TooLarge) => reply::TOO_LARGE,
        Changed::Refused(StoreRefusal::OutOfMemory) => reply::OUT_OF_MEMORY_STORING,
        Changed::Deleted(outcome) => deleted(outcome),
        Changed::Counted(outcome) => return counted(outcome, out),
        Changed::Touched(outcome) => touched(outcome),
    };
    out.extend_from_slice(line);
}

#[inline]
fn stored(outcome: &StoreOutcome) -> &'static [u8] {
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
        DeleteOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    }
}

fn counted(outcome: &ArithOutcome, out: &mut Vec<u8>) {
    let line = match outcome {
        ArithOutcome::Number { value, .. } => return reply::number_line(out, *value),
        ArithOutcome::NotFound => reply::NOT_FOUND,
        ArithOutcome::Exists => reply::EXISTS,
        ArithOutcome::NonNumeric => reply::NON_NUMERIC,
        ArithOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    };
    out.extend_from_slice(line);
}

fn touched(outcome: &TouchOutcome) -> &'static [u8] {
    match outcome {
        TouchOutcome::Touched => reply::TOUCHED,
        TouchOutcome::NotFound => reply::NOT_FOUND,
        TouchOutcome::OutOfMemory => reply::OUT_OF_MEMORY,
    }
}

/// Appends a reply to a command that does not concern one key.
pub(super) fn notice(notice: Notice<'_>, out: &mut Vec<u8>) {
    let line = match notice {
        Notice::Flushed | Notice::DetailTurned => reply::OK,
        Notice::FlushRefused => reply::FLUSH_DISABLED,
        Notice::FlushUnreadable => reply::INVALID_EXPTIME,
        Notice::CountersReset => reply::RESET,
        Notice::Statistics(pairs) => return statistics(pairs, out),
        Notice::StatisticsEnd => reply::END,
        Notice::NoSuchStatistics => reply::ERROR,
        Notice::DetailRefused => reply::STATS_DETAIL_DISABLED,
        Notice::HotKeysRefused => reply::STATS_HOTKEYS_DISABLED,
        Notice::Reassigned(shards) => reassigned(shards),
        Notice::LongStatistic { .. } => return,
    };
    out.extend_from_slice(line);
}

/// Appends a line for each statistic.
fn statistics(pairs: &Pairs, out: &mut Vec<u8>) {
    for (name, value) in pairs.iter() {
        reply::stat_line(out, name, value);
    }
}

/// The reply line of `slabs reassign`: it is a success if any shard moves a page.
fn reassigned(shards: &[ReassignOutcome]) -> &'static [u8] {
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

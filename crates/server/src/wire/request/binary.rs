//! Packets of the binary protocol.

use corecached_engine::{Arith, ArithExtras, ArithOp, StoreExtras, StoreMode};
use corecached_protocol::binary::{BinaryRequest, BinaryStore, Head, Opcode};
use corecached_protocol::text::StoreVerb;

use super::Times;

/// The key of INCREMENT or DECREMENT, and what is counted; `None` for all other packets.
pub(crate) fn arith<'a>(request: &BinaryRequest<'a>, times: Times) -> Option<(&'a [u8], Arith)> {
    let BinaryRequest::Arith {
        key,
        incr,
        delta,
        create,
        cas,
        ..
    } = *request
    else {
        return None;
    };
    let extras = ArithExtras {
        compare: compare(cas),
        create: create.map(|(initial, exptime)| (initial, times.deadline(exptime))),
        ..ArithExtras::default()
    };
    let op = if incr { ArithOp::Incr } else { ArithOp::Decr };
    Some((key, Arith { op, delta, extras }))
}

/// The cas unique of a header, if the packet asks to compare it.
pub(crate) fn compare(cas: u64) -> Option<u64> {
    (cas != 0).then_some(cas)
}

/// Further conditions and side effects of a storage packet; `cas_enabled` is false with `-C`.
pub(crate) fn extras(head: Head, request: &BinaryStore<'_>, cas_enabled: bool) -> StoreExtras {
    StoreExtras {
        compare: (cas_enabled && request.cas != 0).then_some(request.cas),
        // A SET with a cas unique counts as a SET here.
        drops_old: matches!(
            Opcode::from_byte(head.opcode),
            Some(Opcode::Set | Opcode::SetQ)
        ),
        ..StoreExtras::default()
    }
}

/// The storage command of a packet; `cas_enabled` is false with `-C`.
pub(crate) fn mode(head: Head, request: &BinaryStore<'_>, cas_enabled: bool) -> StoreMode {
    match request.verb {
        StoreVerb::Cas if cas_enabled => StoreMode::Cas(request.cas),
        StoreVerb::Append => StoreMode::Append,
        StoreVerb::Prepend => StoreMode::Prepend,
        // Without cas uniques (`-C`) there is none to compare with; memcached then goes by the name of the opcode.
        _ => match Opcode::from_byte(head.opcode) {
            Some(Opcode::Add | Opcode::AddQ) => StoreMode::Add,
            Some(Opcode::Replace | Opcode::ReplaceQ) => StoreMode::Replace,
            _ => StoreMode::Set,
        },
    }
}

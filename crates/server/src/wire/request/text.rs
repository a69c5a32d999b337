//! Classic text requests.

use corecached_engine::{Arith, ArithExtras, ArithOp, Delete, StoreMode};
use corecached_protocol::text::{Request, StoreRequest, StoreVerb};

use crate::operation::op::Change;

use super::Times;

/// The key and the change of `touch`, `delete`, `incr` and `decr`, and whether no reply is wanted; `None` for all other
/// requests.
pub(crate) fn change<'a>(
    request: &Request<'a>,
    times: Times,
) -> Option<(&'a [u8], Change<'a>, bool)> {
    Some(match *request {
        Request::Touch {
            key,
            exptime,
            noreply,
        } => {
            let deadline = times.deadline(exptime);
            (key, Change::Touch { deadline }, noreply)
        }
        Request::Delete { key, noreply } => {
            let (delete, command) = (Delete::default(), "delete");
            (key, Change::Delete { delete, command }, noreply)
        }
        Request::Arith {
            key,
            incr,
            delta,
            noreply,
        } => {
            let op = if incr { ArithOp::Incr } else { ArithOp::Decr };
            let extras = ArithExtras::default();
            (key, Change::Arith(Arith { op, delta, extras }), noreply)
        }
        _ => return None,
    })
}

/// The storage command of a request.
pub(crate) fn store_mode(request: &StoreRequest<'_>) -> StoreMode {
    match request.verb {
        StoreVerb::Set => StoreMode::Set,
        StoreVerb::Add => StoreMode::Add,
        StoreVerb::Replace => StoreMode::Replace,
        StoreVerb::Append => StoreMode::Append,
        StoreVerb::Prepend => StoreMode::Prepend,
        StoreVerb::Cas => StoreMode::Cas(request.cas),
    }
}

//! Runs an operation on this core's turn or loan, and writes its reply: the way of all operations but lookups in
//! another shard's memory (`remote_read.rs`).

use corecached_reactor::Outgoing;

use crate::operation::access::Access;
use crate::operation::execute::execute;
use crate::operation::op::Op;
use crate::operation::outcome::Outcome;

use super::style::Style;
use super::value::{self, ThenValue};

/// Runs an operation and appends its reply, if it has one, to `out`.
#[inline]
pub(crate) fn answer(access: &mut Access<'_>, op: &Op<'_>, style: &Style<'_>, out: &mut Outgoing) {
    let now = access.now;
    let (hit, then) = match execute(access, op) {
        Outcome::Hit(hit) => {
            let then = style.hit(op, &hit, now, &mut out.bytes);
            (hit, then)
        }
        Outcome::Miss => return style.miss(op, &mut out.bytes),
        Outcome::Changed(changed) => {
            return style.changed(op.key, &changed, now, &mut out.bytes);
        }
        Outcome::OutOfMemory(hit) => {
            let then = style.out_of_memory(op.key, &hit, &mut out.bytes);
            (hit, then)
        }
    };
    let Some(ThenValue(end)) = then else { return };
    if value::stays_in_place(hit.value_len(), out.bytes.len()) {
        let item = hit.handle();
        value::send_in_place(access, item, out);
    } else {
        value::copy(&hit, &mut out.bytes);
    }
    out.bytes.extend_from_slice(end);
}

//! Lookups of keys that another shard owns, answered on this core from the owner's memory: nothing is run on the owner,
//! and nothing waits for it.
//!
//! ```text
//!   Op --> may it be read? --> SharedReader::read --+-- hit, miss --> reply, counted here; logged for the owner
//!            | no                                   +-- ask ---+
//!            +-------------------------------------------------+--> to the owner, as any other operation
//! ```
//!
//! A lookup is left to the owner if it changes the item, or shows when and whether the item was used: that is known for
//! certain only to the owner, once all notes of uses have come.

use corecached_engine::{Fetch, MetaFetch, Read, ReadFacts, Recache, SharedReader, Wanted};
use corecached_reactor::Outgoing;

use super::style::Style;
use super::value::{self, ThenValue};
use crate::ids::ShardId;
use crate::operation::access::Access;
use crate::operation::op::{Op, Verb};
use crate::operation::reads::{LoggedRead, ReadLog};
use crate::operation::sampled;

/// Whether an operation is a lookup that can be answered without the owner, as far as the request tells.
#[inline]
pub(crate) fn may_read(op: &Op<'_>, style: &Style<'_>) -> bool {
    let Verb::Get(fetch) = op.verb else {
        return false;
    };
    match (style, fetch) {
        (Style::Text { .. } | Style::Binary(_), Fetch::Count) => true,
        (Style::Meta(style), Fetch::Meta(fetch)) => {
            let is_plain = fetch.deadline.is_none() && fetch.recache == Recache::Never;
            is_plain && !style.flags.has(b'h') && !style.flags.has(b'l')
        }
        _ => false,
    }
}

/// Answers a lookup for which [`may_read`] is true. Returns false, and appends nothing, if the owner has to be asked
/// after all.
///
/// The lookup is counted by this shard's engine, and the use of the item is logged for the owner.
#[inline]
pub(crate) fn read(
    (reader, owner): (&SharedReader, ShardId),
    log: &mut ReadLog,
    access: &mut Access<'_>,
    (op, style): (&Op<'_>, &Style<'_>),
    out: &mut Outgoing,
) -> bool {
    let now = access.now;
    let value_max = value::copied_max(out.bytes.len());
    let mut end: &[u8] = b"";
    let found = |facts: &ReadFacts, out: &mut Vec<u8>| {
        // Only the owner can decide whether this client is the one to fetch the value anew.
        if matches!(style, Style::Meta(_)) && (facts.is_stale || facts.was_won) {
            return Wanted::Engine;
        }
        match style.hit(op, facts, now, out) {
            Some(ThenValue(then)) => {
                end = then;
                Wanted::Value
            }
            None => Wanted::Facts,
        }
    };
    match reader.read(op.key, op.hash, now, value_max, &mut out.bytes, found) {
        Read::Hit(facts) => {
            out.bytes.extend_from_slice(end);
            access.engine.count_read_hit(facts.class);
            sampled::count_remote_read(access, (log, owner), op, Some(&facts));
            log.add(LoggedRead {
                owner,
                class: facts.class,
                note: facts.note.filter(|_| is_use(op)),
            });
        }
        Read::Miss if creates(op) => return false,
        Read::Miss => {
            access.engine.count_read_miss();
            sampled::count_remote_read(access, (log, owner), op, None);
            style.miss(op, &mut out.bytes);
        }
        Read::Ask => return false,
    }
    true
}

/// Whether a hit is a use of the item.
#[inline]
fn is_use(op: &Op<'_>) -> bool {
    !matches!(
        op.verb,
        Verb::Get(Fetch::Meta(MetaFetch { bump: false, .. }))
    )
}

/// Whether the lookup creates an item if there is none.
#[inline]
fn creates(op: &Op<'_>) -> bool {
    matches!(
        op.verb,
        Verb::Get(Fetch::Meta(MetaFetch {
            create: Some(_),
            ..
        }))
    )
}

//! One step of a walk over a shard's items.

use corecached_engine::{Deadline, WalkedItem};
use corecached_protocol::dump::{self, MetadumpItem};
use corecached_reactor::Outgoing;

use crate::crawler::{Place, STEP_CHUNKS, STEP_ITEMS, Sizes, WalkForm, WalkStep};

use super::Access;

/// Sizes are counted in steps of so many bytes.
const SIZE_STEP: usize = 32;

/// What a step has come to.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Where the next step begins; `None` when all of the shard has been shown.
    pub(crate) place: Option<Place>,
    /// Lines written.
    pub(crate) lines: u32,
    /// Bytes written.
    pub(crate) bytes: usize,
    /// The wanted lines are all there, or no more fit.
    pub(crate) is_full: bool,
    /// Items by size.
    pub(crate) sizes: Sizes,
}

pub(super) fn step(access: &mut Access<'_>, step: WalkStep, out: &mut Outgoing) -> Walked {
    let mut walked = Walked::default();
    let before = out.bytes.len();
    let mut show = |item: &WalkedItem<'_>| {
        if step.classes >> (item.class_id & 63) & 1 != 0 {
            show(&step, item, &mut out.bytes, &mut walked);
        }
        !walked.is_full
    };
    let (engine, now) = (&mut *access.engine, access.now);
    let place = match step.place {
        Place::Items(mut cursor) => engine
            .walk(&mut cursor, now, STEP_ITEMS, |item| {
                show(item);
            })
            .then_some(Place::Items(cursor)),
        Place::Pages(mut cursor) => engine
            .walk_pages(&mut cursor, step.classes, now, STEP_CHUNKS, show)
            .then_some(Place::Pages(cursor)),
        // No items.
        Place::Number(_) => None,
    };
    walked.bytes = out.bytes.len() - before;
    walked.place = place;
    walked
}

fn show(step: &WalkStep, item: &WalkedItem<'_>, out: &mut Vec<u8>, walked: &mut Walked) {
    let mortal = item.deadline != Deadline::NEVER;
    let exptime = mortal.then(|| step.unix_origin + i64::from(item.deadline.0));
    match step.form {
        WalkForm::Metadump => dump::metadump_line(
            out,
            &MetadumpItem {
                key: item.key,
                exptime,
                last_access: step.unix_origin + i64::from(item.last_access.0),
                cas: item.cas,
                fetched: item.fetched,
                class_id: item.class_id,
                item_bytes: item.item_bytes,
                client_flags: item.client_flags,
            },
        ),
        WalkForm::Mgdump => {
            dump::mgdump_line(out, item.key, item.binary_key || needs_base64(item.key));
        }
        WalkForm::Cachedump { limit, bytes_max } => {
            cachedump(item, exptime, (limit, bytes_max), out, walked);
        }
        WalkForm::Sizes => {
            let size = item.item_bytes.next_multiple_of(SIZE_STEP);
            *walked.sizes.entry(size).or_default() += 1;
        }
    }
}

fn cachedump(
    item: &WalkedItem<'_>,
    exptime: Option<i64>,
    (limit, bytes_max): (u32, usize),
    out: &mut Vec<u8>,
    walked: &mut Walked,
) {
    // A key that cannot stand in a line is left out, as memcached does.
    if walked.is_full || item.binary_key || needs_base64(item.key) {
        return;
    }
    let before = out.len();
    dump::cachedump_line(out, item.key, item.value_bytes, exptime.unwrap_or(0));
    walked.bytes += out.len() - before;
    if walked.bytes > bytes_max {
        out.truncate(before);
        walked.is_full = true;
        return;
    }
    walked.lines += 1;
    walked.is_full = walked.lines >= limit;
}

/// Whether a key has bytes that no text command can name.
fn needs_base64(key: &[u8]) -> bool {
    key.iter().any(|&byte| byte <= b' ')
}

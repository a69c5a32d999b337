//! Lines about items that a walk passes: `lru_crawler metadump` and `mgdump`, `stats cachedump`, `stats sizes`.

use std::collections::BTreeMap;

use corecached_engine::{Deadline, WalkedItem};
use corecached_protocol::dump::{self as line, MetadumpItem};

use crate::operation::access::Access;
use crate::operation::walk::{Place, WalkStep, walk};

/// Sizes are counted in steps of this many bytes.
const SIZE_STEP: usize = 32;

/// Items by size: the multiple of 32 bytes that has room for them.
pub(crate) type Sizes = BTreeMap<usize, u64>;

/// How the items of a walk are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dump {
    /// The facts of an item that are shown.
    pub(crate) form: DumpForm,
    /// Unix time of the server's second 0.
    pub(crate) unix_origin: i64,
}

/// The facts of an item that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DumpForm {
    /// A line of `lru_crawler metadump`.
    Metadump,
    /// A line of `lru_crawler mgdump`.
    Mgdump,
    /// A line of `stats cachedump`.
    Cachedump {
        /// Lines wanted.
        limit: u32,
        /// Most bytes of all those lines together.
        bytes_max: usize,
    },
    /// The item's size is counted.
    Sizes,
}

/// Result of a step of a walk.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Where the next step begins; `None` when all of the shard has been shown.
    pub(crate) place: Option<Place>,
    /// Lines written.
    pub(crate) lines: u32,
    /// Bytes written.
    pub(crate) bytes: usize,
    /// Whether the wanted lines are all there, or no more fit.
    pub(crate) is_full: bool,
    /// Items by size.
    pub(crate) sizes: Sizes,
}

/// Takes a step of a walk, and appends the lines that `dump` asks for.
pub(crate) fn step(
    access: &mut Access<'_>,
    step: &WalkStep,
    dump: &Dump,
    out: &mut Vec<u8>,
) -> Walked {
    let mut walked = Walked::default();
    let before = out.len();
    let place = walk(access, step, |item| {
        show(dump, item, out, &mut walked);
        !walked.is_full
    });
    walked.bytes = out.len() - before;
    walked.place = place;
    walked
}

fn show(dump: &Dump, item: &WalkedItem<'_>, out: &mut Vec<u8>, walked: &mut Walked) {
    let mortal = item.deadline != Deadline::NEVER;
    let exptime = mortal.then(|| dump.unix_origin + i64::from(item.deadline.0));
    match dump.form {
        DumpForm::Metadump => line::metadump_line(
            out,
            &MetadumpItem {
                key: item.key,
                exptime,
                last_access: dump.unix_origin + i64::from(item.last_access.0),
                cas: item.cas,
                fetched: item.fetched,
                class_id: item.class_id,
                item_bytes: item.item_bytes,
                client_flags: item.client_flags,
            },
        ),
        DumpForm::Mgdump => {
            line::mgdump_line(out, item.key, item.binary_key || needs_base64(item.key));
        }
        DumpForm::Cachedump { limit, bytes_max } => {
            let room = Room { limit, bytes_max };
            cachedump(item, exptime.unwrap_or(0), room, out, walked);
        }
        DumpForm::Sizes => {
            let size = item.item_bytes.next_multiple_of(SIZE_STEP);
            *walked.sizes.entry(size).or_default() += 1;
        }
    }
}

/// The number of lines and bytes that still fit into the answer to `stats cachedump`.
#[derive(Clone, Copy)]
struct Room {
    limit: u32,
    bytes_max: usize,
}

fn cachedump(
    item: &WalkedItem<'_>,
    exptime: i64,
    room: Room,
    out: &mut Vec<u8>,
    walked: &mut Walked,
) {
    // A key that cannot stand in a line is left out, as memcached does.
    if walked.is_full || item.binary_key || needs_base64(item.key) {
        return;
    }
    let before = out.len();
    line::cachedump_line(out, item.key, item.value_bytes, exptime);
    walked.bytes += out.len() - before;
    if walked.bytes > room.bytes_max {
        out.truncate(before);
        walked.is_full = true;
        return;
    }
    walked.lines += 1;
    walked.is_full = walked.lines >= room.limit;
}

/// Whether a key has bytes that no text command can name.
fn needs_base64(key: &[u8]) -> bool {
    key.iter().any(|&byte| byte <= b' ')
}

//! A storage command with its value, in any protocol: a small value is taken with its command, a large one begins an
//! upload.
//!
//! ```text
//!   command, and of the value   all of it ------------------> Op, unless its end is wrong
//!                               a part, up to 4 KiB --------> it waits, in the connection's input
//!                               anything else -------------> Upload (`upload.rs`), or there is no memory: dropped
//! ```

use corecached_engine::{Deadline, KeyHash, Reserve, StoreExtras, StoreMode};
use corecached_protocol::reply::CRLF;

use crate::cell::op::{Change, Op, Refusal, Verb};
use crate::dialect::Style;

use super::holder::{COPIED_BYTES_MAX, Holder};
use super::upload::Upload;
use super::{Conn, Cx, Phase, direct};

/// What ends a value in the text protocols.
pub(super) const LINE_END: &[u8] = CRLF;

/// Values up to this size are kept with their command until they are whole; larger ones go to slab memory at once.
const VALUE_BYTES_KEPT: usize = 4096;

/// A storage command whose value follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announced<'a> {
    /// The key.
    pub(super) key: &'a [u8],
    /// Its hash.
    pub(super) hash: KeyHash,
    /// The storage command.
    pub(super) mode: StoreMode,
    /// Client flags of the new item.
    pub(super) client_flags: u32,
    /// Deadline of the new item.
    pub(super) deadline: Deadline,
    /// What else is asked for.
    pub(super) extras: StoreExtras,
    /// Length of the value.
    pub(super) value_bytes: usize,
    /// What ends the value: `\r\n`, or nothing in binary.
    pub(super) line_end: &'static [u8],
    /// How the outcome is told.
    pub(super) style: Style<'a>,
    /// Whether a value without its line end is reported even if the outcome is not.
    pub(super) reports_malformed: bool,
}

/// What became of the bytes behind a storage command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The command is done, and that many bytes are used up.
    Done(usize),
    /// The value is not all there; the command is to be parsed again when more has come.
    Incomplete,
    /// The value is awaited, in the connection's phase; no byte of it is used up yet.
    Begun,
}

/// Takes the value from `data`, which is what has come after the command, or begins to await it.
pub(super) fn take(
    conn: &mut Conn,
    announced: &Announced<'_>,
    data: &[u8],
    cx: &mut Cx<'_>,
) -> Taken {
    let value_bytes = announced.value_bytes;
    let whole = value_bytes + announced.line_end.len();
    match data.get(..whole).map(|data| data.split_at(value_bytes)) {
        Some((value, line_end)) if line_end == announced.line_end => {
            announced.submit(announced.store(value), conn, cx);
            return Taken::Done(whole);
        }
        None if value_bytes <= VALUE_BYTES_KEPT => return Taken::Incomplete,
        // That the end is wrong is said once there is memory for the value, as in memcached: it may be refused.
        Some(_) | None => {}
    }
    begin(conn, announced, cx);
    Taken::Begun
}

/// Awaits a value that will come in pieces.
fn begin(conn: &mut Conn, announced: &Announced<'_>, cx: &mut Cx<'_>) {
    let owner = cx.shared.route.owner_of(announced.hash);
    let holder = if announced.value_bytes > COPIED_BYTES_MAX {
        owner
    } else {
        cx.access.shard
    };
    let upload = Upload::new(Holder::New(holder), announced);
    conn.phase = Phase::Value(Box::new(upload));
    direct::expect(conn, announced.value_bytes);
}

/// Drops the value, of which so many bytes are still to come, and says so.
pub(super) fn refuse(
    conn: &mut Conn,
    announced: &Announced<'_>,
    missing: usize,
    why: Refusal,
    cx: &mut Cx<'_>,
) {
    let mode = announced.mode;
    let refuse = Change::Refuse {
        mode,
        drops_old: mode == StoreMode::Set || announced.extras.drops_old,
        why,
    };
    announced.submit(refuse, conn, cx);
    conn.swallow(missing + announced.line_end.len());
}

impl<'a> Announced<'a> {
    /// The same with a key and words of the request that are kept elsewhere.
    pub(super) fn with<'b>(&self, key: &'b [u8], words: &'b [u8]) -> Announced<'b> {
        Announced {
            key,
            hash: self.hash,
            mode: self.mode,
            client_flags: self.client_flags,
            deadline: self.deadline,
            extras: self.extras,
            value_bytes: self.value_bytes,
            line_end: self.line_end,
            style: self.style.with_words(words),
            reports_malformed: self.reports_malformed,
        }
    }

    /// An operation on its key.
    pub(super) fn op(&self, change: Change<'a>) -> Op<'a> {
        Op {
            key: self.key,
            hash: self.hash,
            verb: Verb::Change(change),
        }
    }

    /// Has an operation on its key run, and told as the command asks for.
    #[inline]
    pub(super) fn submit(&self, change: Change<'a>, conn: &mut Conn, cx: &mut Cx<'_>) {
        conn.submit(&self.op(change), &self.style, cx);
    }

    /// The question for the first memory of its value.
    pub(super) fn reserve(&self) -> Reserve<'a> {
        Reserve {
            key: self.key,
            hash: self.hash,
            client_flags: self.client_flags,
            deadline: self.deadline,
            extras: self.extras,
            value_bytes: self.value_bytes,
        }
    }

    /// What it does, with this value.
    pub(super) fn store<'v>(&self, value: &'v [u8]) -> Change<'v> {
        Change::Store {
            mode: self.mode,
            client_flags: self.client_flags,
            deadline: self.deadline,
            extras: self.extras,
            value,
        }
    }
}

impl Conn {
    /// Drops the next `bytes` bytes unread.
    pub(super) fn swallow(&mut self, bytes: usize) {
        if bytes > 0 {
            self.phase = Phase::Swallow(bytes as u64);
        }
    }
}

//! A storage command with its value, in any protocol: a small value is taken with its command, a large value begins an
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

/// The bytes that end a value in the text protocols.
pub(super) const LINE_END: &[u8] = CRLF;

/// Values up to this size wait in the connection's input until they are whole; larger ones go to slab memory at once.
const VALUE_BYTES_KEPT: usize = 4096;

/// A storage command whose value follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announced<'a> {
    /// The key.
    pub(super) key: &'a [u8],
    /// Hash of the key.
    pub(super) hash: KeyHash,
    /// The storage command.
    pub(super) mode: StoreMode,
    /// Client flags of the new item.
    pub(super) client_flags: u32,
    /// Deadline of the new item.
    pub(super) deadline: Deadline,
    /// Further conditions and side effects of the command.
    pub(super) extras: StoreExtras,
    /// Length of the value.
    pub(super) value_bytes: usize,
    /// The bytes that end the value: `\r\n`, or nothing in binary.
    pub(super) line_end: &'static [u8],
    /// How the outcome is told.
    pub(super) style: Style<'a>,
    /// Whether a value without its line end is reported even if the command asks for no reply.
    pub(super) reports_malformed: bool,
}

/// Result of [`take`]: how far the bytes behind a storage command were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The command is done; this many bytes of its value and line end are used up.
    Done(usize),
    /// The value is not all there yet; the command is to be parsed again when more bytes have come.
    Incomplete,
    /// The connection's phase now awaits the value; no byte of the value is used up yet.
    Begun,
}

/// Takes the value of a command from `data`, the bytes received behind the command, or begins to await the value.
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
        // A wrong line end is reported only once there is memory for the value, as in memcached: the value may be
        // refused first.
        Some(_) | None => {}
    }
    begin(conn, announced, cx);
    Taken::Begun
}

/// Begins to receive a value that will come in pieces.
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

/// Answers with a refusal and drops the `missing` bytes of the value that are still to come.
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
    /// This command with `key` and `words`, the words of the request that its reply repeats, in place of its own.
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

    /// An operation that does `change` to the command's key.
    pub(super) fn op(&self, change: Change<'a>) -> Op<'a> {
        Op {
            key: self.key,
            hash: self.hash,
            verb: Verb::Change(change),
        }
    }

    /// Runs `change` on the command's key; the outcome is told as the command asks for.
    #[inline]
    pub(super) fn submit(&self, change: Change<'a>, conn: &mut Conn, cx: &mut Cx<'_>) {
        conn.submit(&self.op(change), &self.style, cx);
    }

    /// The request for the first memory of the command's value.
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

    /// The change that the command makes with `value`.
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
    /// Makes the connection drop the next `bytes` bytes unread.
    pub(super) fn swallow(&mut self, bytes: usize) {
        if bytes > 0 {
            self.phase = Phase::Swallow(bytes as u64);
        }
    }
}

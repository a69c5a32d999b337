//! A storage command with its value, in any protocol: a small value is taken with its command, a large one begins an
//! upload.
//!
//! ```text
//!   command, and of the value   all of it ------------------> Op, unless its end is wrong
//!                               a part, up to 4 KiB --------> it waits, in the connection's input
//!                               anything else -------------> Upload (`upload.rs`), or there is no memory: dropped
//! ```

use corecached_engine::{Deadline, KeyHash, Reserve, StoreExtras, StoreMode, StoreOutcome};
use corecached_protocol::reply::CRLF;

use crate::op::{Op, Refusal, ReplyStyle, StageStep, Verb};
use crate::shard::pages::lend;

use super::holder::{COPIED_BYTES_MAX, Holder};
use super::upload::Upload;
use super::{Conn, Cx, Phase, direct};

/// What ends a value in the text protocols.
pub(super) const LINE_END: &[u8] = CRLF;

/// Values up to this size are kept with their command until they are whole; larger ones go to slab memory at once.
const VALUE_BYTES_KEPT: usize = 4096;
/// Times that other shards lend pages for the beginning of a value.
const LOANS_MAX: u32 = 4;

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
    pub(super) reply: ReplyStyle<'a>,
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
            conn.submit(&announced.op(announced.store(value)), cx);
            return Taken::Done(whole);
        }
        None if value_bytes <= VALUE_BYTES_KEPT => return Taken::Incomplete,
        // That the end is wrong is said once there is memory for the value, as in memcached: it may be refused.
        Some(_) | None => {}
    }
    begin(conn, announced, cx);
    Taken::Begun
}

/// Reserves memory for a value that will come in pieces; without any it will be dropped.
fn begin(conn: &mut Conn, announced: &Announced<'_>, cx: &mut Cx<'_>) {
    let &Announced {
        client_flags,
        deadline,
        extras,
        value_bytes,
        ..
    } = announced;
    let own = cx.access.shard;
    let owner = cx.shared.owner_of(announced.hash);
    let holder = if owner != own && value_bytes > COPIED_BYTES_MAX {
        let op = announced.op(announced.store(&[]));
        Holder::ask_owner(conn.id, owner, &op, announced.begin(), cx)
    } else {
        let reserve = Reserve {
            key: announced.key,
            hash: announced.hash,
            client_flags,
            deadline,
            extras,
            value_bytes,
        };
        let mut loans = 0..LOANS_MAX;
        loop {
            match cx.access.engine.reserve(&reserve, cx.access.now) {
                Ok(staged) => break Holder::Own(staged),
                Err(StoreOutcome::OutOfMemory)
                    if loans.next().is_some()
                        && lend(&mut cx.access, cx.shared, own, value_bytes) => {}
                Err(outcome) => return refuse(conn, announced, Refusal::of(&outcome), cx),
            }
        }
    };
    conn.phase = Phase::Value(Box::new(Upload::new(holder, announced)));
    direct::expect(conn, value_bytes);
}

/// Drops the value, all of which is still to come, and says so.
pub(super) fn refuse(conn: &mut Conn, announced: &Announced<'_>, why: Refusal, cx: &mut Cx<'_>) {
    let drops_old = announced.mode == StoreMode::Set || announced.extras.drops_old;
    let mode = announced.mode;
    let verb = Verb::Refuse {
        mode,
        drops_old,
        why,
    };
    conn.submit(&announced.op(verb), cx);
    conn.swallow(announced.value_bytes + announced.line_end.len());
}

impl<'a> Announced<'a> {
    /// An operation on its key.
    pub(super) fn op(&self, verb: Verb<'a>) -> Op<'a> {
        Op {
            key: self.key,
            hash: self.hash,
            verb,
            reply: self.reply,
        }
    }

    /// How it begins at the shard that owns the key.
    pub(super) fn begin(&self) -> StageStep {
        StageStep::Begin {
            client_flags: self.client_flags,
            deadline: self.deadline,
            extras: self.extras,
            value_bytes: self.value_bytes,
        }
    }

    /// Its verb, with this value.
    pub(super) fn store<'v>(&self, value: &'v [u8]) -> Verb<'v> {
        Verb::Store {
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

//! A storage command and its value, in any protocol: a small value is taken with its command, a large value begins an
//! upload, which goes on with every input until the value is whole.
//!
//! ```text
//!   command, and of the value   all of it ------------------> Op, unless its end is wrong
//!                               a part, up to 4 KiB --------> it waits, in the connection's input
//!                               anything else -------------> Upload (`upload.rs`), or there is no memory: dropped
//! ```

use corecached_engine::{StoreMode, StoreRefusal};
use corecached_protocol::reply::{BAD_DATA_CHUNK, CRLF};

use crate::latency::Kind;
use crate::operation::op::Change;
use crate::operation::outcome::Grant;

use super::holder::{COPIED_BYTES_MAX, Holder};
use super::store_command::StoreCommand;
use super::upload::{Progress, Upload};
use super::{Conn, Cx, Link, Phase};

/// The bytes that end a value in the text protocols.
pub(super) const LINE_END: &[u8] = CRLF;

/// Values up to this size wait in the connection's input until they are whole; larger ones go to slab memory at once.
const VALUE_BYTES_KEPT: usize = 4096;
/// Values of at least this size are read straight into slab memory (`direct.rs`).
const DIRECT_BYTES_MIN: usize = 64 * 1024;

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
    command: &StoreCommand<'_>,
    data: &[u8],
    cx: &mut Cx<'_>,
) -> Taken {
    let value_bytes = command.value_bytes;
    let whole = value_bytes + command.line_end.len();
    match data.get(..whole).map(|data| data.split_at(value_bytes)) {
        Some((value, line_end)) if line_end == command.line_end => {
            submit(command, command.store(value), conn, cx);
            return Taken::Done(whole);
        }
        None if value_bytes <= VALUE_BYTES_KEPT => return Taken::Incomplete,
        // A wrong line end is reported only once there is memory for the value, as in memcached: the value may be
        // refused first.
        Some(_) | None => {}
    }
    begin(conn, command, cx);
    Taken::Begun
}

/// Begins to receive a value that will come in pieces.
fn begin(conn: &mut Conn, command: &StoreCommand<'_>, cx: &mut Cx<'_>) {
    let owner = cx.shared.route.owner_of(command.hash);
    let holder = if command.value_bytes > COPIED_BYTES_MAX {
        owner
    } else {
        cx.access.shard
    };
    let upload = Upload::new(Holder::New(holder), command);
    conn.phase = Phase::Value(Box::new(upload));
    if matches!(conn.link, Link::Socket(_)) && command.value_bytes >= DIRECT_BYTES_MIN {
        conn.reads.expect_large();
    }
}

/// Answers with a refusal and drops the `missing` bytes of the value that are still to come.
pub(super) fn refuse(
    conn: &mut Conn,
    command: &StoreCommand<'_>,
    missing: usize,
    why: StoreRefusal,
    cx: &mut Cx<'_>,
) {
    let mode = command.mode;
    let refuse = Change::Refuse {
        mode,
        drops_old: mode == StoreMode::Set || command.extras.drops_old,
        why,
    };
    submit(command, refuse, conn, cx);
    conn.swallow(missing + command.line_end.len());
}

/// Runs `change` on the command's key; the outcome is told as the command asks for.
#[inline]
fn submit(command: &StoreCommand<'_>, change: Change<'_>, conn: &mut Conn, cx: &mut Cx<'_>) {
    cx.tally.count(Kind::Set, 1, command.key);
    conn.submit(&command.op(change), &command.style, cx);
}

/// Takes more bytes of a large value; returns how many were used up and whether more is awaited.
pub(super) fn go_on(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Progress) {
    let Phase::Value(upload) = &mut conn.phase else {
        return (0, Progress::Complete);
    };
    let (used, progress) = upload.feed(bytes, conn.id, cx);
    if matches!(
        progress,
        Progress::Incomplete | Progress::Waits | Progress::Awaits
    ) {
        return (used, progress);
    }
    if let Phase::Value(upload) = std::mem::take(&mut conn.phase) {
        match progress {
            Progress::Complete => finish(*upload, conn, cx),
            Progress::Refused(why) => give_up(*upload, why, conn, cx),
            _ => {
                let command = &upload.command;
                cx.tally.count(Kind::Set, 1, &upload.key);
                let sent = command.with(&upload.key, &upload.words).reserve();
                cx.access.engine.count_malformed(&sent);
                if command.reports_malformed || !command.style.is_none() {
                    conn.reply(BAD_DATA_CHUNK, cx);
                }
                upload.abort(&mut cx.access, cx.router);
            }
        }
    }
    (used, progress)
}

/// Links a whole value, here or at the shard that owns the key.
fn finish(upload: Upload, conn: &mut Conn, cx: &mut Cx<'_>) {
    let command = upload.command.with(&upload.key, &upload.words);
    let owner = cx.shared.route.owner_of(command.hash);
    let staged = match upload.holder {
        Holder::Own(staged) if owner == cx.access.shard => cx.access.engine.leave_staged(staged),
        Holder::Own(staged) => {
            cx.tally.count(Kind::Set, 1, command.key);
            conn.note_pushed(owner, cx);
            let reply_to = conn.expect_reply();
            let op = command.op(command.store(&[]));
            let pieces = cx.access.engine.staged_value(&staged);
            cx.router
                .push_pieces(owner, &op, &command.style, pieces, reply_to);
            return cx.access.engine.abort(staged);
        }
        Holder::Owner(_, staged)
        | Holder::Refusing {
            staged: Some(staged),
            ..
        } => staged,
        Holder::New(_) | Holder::Refusing { staged: None, .. } | Holder::Asked => {
            debug_assert!(false, "a value without memory is whole");
            return;
        }
    };
    let commit = Change::Commit {
        staged,
        mode: command.mode,
        extras: command.extras,
        value_bytes: command.value_bytes,
    };
    submit(&command, commit, conn, cx);
}

/// Refuses a value, and drops the bytes of it that are still to come.
fn give_up(upload: Upload, why: StoreRefusal, conn: &mut Conn, cx: &mut Cx<'_>) {
    let command = upload.command.with(&upload.key, &upload.words);
    refuse(conn, &command, upload.missing, why, cx);
    upload.holder.abort(&mut cx.access, cx.router);
}

impl Conn {
    /// Takes in another shard's answer to the request for memory for the value that is being received.
    pub(crate) fn granted(&mut self, grant: Grant) {
        let Phase::Value(upload) = &mut self.phase else {
            debug_assert!(false, "a connection that waits for memory stays so");
            return;
        };
        upload.granted(grant);
        // A connection without kept input can only read, unless its peer has sent its last byte.
        let may_read = self.input.is_empty() && !self.reads.have_ended();
        if may_read && !upload.needs_room() {
            self.run_state.unstall();
        }
    }
}

//! A large value on its way in: written to slab memory piece by piece as it arrives, linked when it is whole.
//!
//! The memory comes from the shard of the connection, so that half-sent values are bounded by `-m` like everything else.
//! If another shard owns the key, the whole value is sent to it at the end.

use corecached_engine::{Deadline, KeyHash, Staged, StoreMode};

use crate::execute::{Access, stored};
use crate::op::{Op, Verb};

use super::{Conn, Cx};

/// A storage command whose value is being read.
#[derive(Debug)]
pub(super) struct Upload {
    /// Where the value goes.
    pub(super) staged: Staged,
    /// The key.
    pub(super) key: Box<[u8]>,
    /// Its hash.
    pub(super) hash: KeyHash,
    /// The storage command.
    pub(super) mode: StoreMode,
    /// Client flags of the new item.
    pub(super) client_flags: u32,
    /// Deadline of the new item.
    pub(super) deadline: Deadline,
    /// `noreply`.
    pub(super) quiet: bool,
    /// Bytes of the value that have not come yet.
    pub(super) missing: usize,
    /// Bytes of the line end that have come.
    pub(super) line_end: usize,
    /// Whether those were the right ones.
    pub(super) well_formed: bool,
}

/// How an upload stands after some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More has to come.
    Incomplete,
    /// The value and its line end are there.
    Complete,
    /// The value is not followed by a line end.
    Malformed,
}

const LINE_END: &[u8; 2] = b"\r\n";

impl Upload {
    /// Takes what it can use of `bytes`; returns how much that was.
    ///
    /// The line end's two bytes are used up also when they are wrong, as memcached does.
    pub(super) fn feed(&mut self, bytes: &[u8], access: &mut Access<'_>) -> (usize, Progress) {
        let value_bytes = self.missing.min(bytes.len());
        if value_bytes > 0 {
            access
                .engine
                .staged_write(&mut self.staged, &bytes[..value_bytes]);
            self.missing -= value_bytes;
        }
        let mut used = value_bytes;
        while self.missing == 0 && self.line_end < LINE_END.len() && used < bytes.len() {
            self.well_formed &= bytes[used] == LINE_END[self.line_end];
            self.line_end += 1;
            used += 1;
        }
        let progress = match self.line_end == LINE_END.len() {
            false => Progress::Incomplete,
            true if self.well_formed => Progress::Complete,
            true => Progress::Malformed,
        };
        (used, progress)
    }

    /// Links the value, here or at the shard that owns the key.
    pub(super) fn finish(self, conn: &mut Conn, cx: &mut Cx<'_>) {
        let owner = cx.shared.owner_of(self.hash);
        if owner == cx.access.shard {
            let outcome = cx
                .access
                .engine
                .commit(self.staged, self.mode, cx.access.now);
            if !self.quiet {
                conn.say(stored(&outcome), cx);
            }
            return;
        }
        let verb = Verb::Store {
            mode: self.mode,
            client_flags: self.client_flags,
            deadline: self.deadline,
            value: &[],
        };
        let op = Op {
            key: &self.key,
            hash: self.hash,
            verb,
            quiet: self.quiet,
        };
        let reply_to = (!self.quiet).then(|| conn.expect_reply());
        cx.router.push_pieces(
            owner,
            &op,
            cx.access.engine.staged_value(&self.staged),
            reply_to,
        );
        cx.access.engine.abort(self.staged);
    }

    /// Gives the memory back.
    pub(super) fn abort(self, access: &mut Access<'_>) {
        access.engine.abort(self.staged);
    }
}

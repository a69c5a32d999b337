//! A storage command whose value follows, in any protocol.

use corecached_engine::{Deadline, KeyHash, Reserve, StoreExtras, StoreMode};

use crate::operation::op::{Change, Op, Verb};
use crate::wire::Style;

/// A storage command whose value follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreCommand<'a> {
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

impl<'a> StoreCommand<'a> {
    /// This command with `key` and `words`, the words of the request that its reply repeats, in place of its own.
    pub(super) fn with<'b>(&self, key: &'b [u8], words: &'b [u8]) -> StoreCommand<'b> {
        StoreCommand {
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

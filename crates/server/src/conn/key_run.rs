//! A get of many keys, between its turns.

use corecached_engine::Deadline;
use corecached_protocol::text::KeyCheck;

use crate::latency::Kind;

/// A get of many keys that is answered in several turns. The rest of its line stands at the beginning of the input.
#[derive(Debug)]
pub(super) struct KeyRun {
    /// Bytes of keys left.
    pub(super) left: usize,
    /// Bytes of the line end behind them.
    pub(super) line_end: usize,
    /// The check of the keys of a long line, until it is over. One key that is too long spoils the whole line, so
    /// nothing may be answered before the check ends.
    pub(super) check: Option<KeyCheck>,
    /// How each key is got.
    pub(super) style: ManyStyle,
}

/// How each of many keys is got.
#[derive(Clone, Copy, Debug)]
pub(super) struct ManyStyle {
    /// Whether hits carry their cas unique.
    pub(super) with_cas: bool,
    /// The new deadline of hits.
    pub(super) touch: Option<Deadline>,
}

impl ManyStyle {
    /// The kind of the command.
    pub(super) fn kind(&self) -> Kind {
        match self.touch {
            Some(_) => Kind::Touch,
            None => Kind::Get,
        }
    }
}

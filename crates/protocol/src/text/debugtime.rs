//! `debugtime <seconds>`, `debugtime p`, `debugtime r`: the server's clock in a test's hand. memcached has the command
//! in its debug build only.

use crate::number::c_i64;
use crate::words::Words;

/// The change to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugTime {
    /// `p`: the clock stands still.
    Pause,
    /// `r`: the clock goes on.
    Resume,
    /// The clock is set forward by that many seconds.
    Forward(i64),
    /// Any other word: `ERROR`.
    Unknown,
}

/// Parses what follows the command word.
pub(super) fn parse(rest: &[u8]) -> DebugTime {
    match Words::new(rest).next() {
        Some(b"p") => DebugTime::Pause,
        Some(b"r") => DebugTime::Resume,
        Some(word) => c_i64(word).map_or(DebugTime::Unknown, DebugTime::Forward),
        None => DebugTime::Unknown,
    }
}

//! How far one step of the loop over a connection's input has come (`steps.rs`).

use super::course::Stop;

/// Result of a step.
pub(super) enum Step {
    /// This many bytes are used up.
    Used(usize),
    /// This many bytes of several requests are used up.
    UsedRun { bytes: usize, requests: u32 },
    /// This many bytes are used up, and the loop stops for now.
    UsedAll(usize, Stop),
    /// The rest of the input is the beginning of a request.
    Incomplete,
    /// The connection is to be closed.
    Close,
}

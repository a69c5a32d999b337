//! How far one step of the loop over a connection's input has come (`steps.rs`), and why the loop stops.

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

/// Why `consume` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// All complete requests are done.
    Dry,
    /// The connection has used its share of requests in this turn; the rest is done in the next turn.
    Yield,
    /// The next request is long, or a long one goes on: it is done in the connection's turn among those that go on.
    Later,
    /// The connection goes on once its peer reads, other shards answer or the broadcast is through.
    Paused,
    /// The connection ends when its replies are sent.
    Close,
}

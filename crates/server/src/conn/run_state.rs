//! How a connection goes on: the state in which its input leaves it.
//!
//! ```text
//!            could go on with input         all is used
//!   Open -----------------------> Stalled --------------> Open
//!     |                              |
//!     +---- the end: quit, an error, its last byte -------+---> Closing, for good
//! ```

use super::step::Stop;

/// How a connection goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RunState {
    /// The connection waits for input.
    #[default]
    Open,
    /// The connection has kept input that it could work on.
    Stalled,
    /// The connection ends once its replies are sent.
    Closing,
}

impl RunState {
    /// The connection's input has been worked on until `stop`.
    pub(super) fn after(&mut self, stop: Stop) {
        if *self == RunState::Closing {
            return;
        }
        *self = match stop {
            Stop::Yield | Stop::Later | Stop::Paused => RunState::Stalled,
            Stop::Dry => RunState::Open,
            Stop::Close => RunState::Closing,
        };
    }

    /// The connection ends, unless it has kept input that it could work on.
    pub(super) fn close_if_open(&mut self) {
        if *self == RunState::Open {
            *self = RunState::Closing;
        }
    }

    /// The connection has no kept input any more that it could work on.
    pub(super) fn unstall(&mut self) {
        if *self == RunState::Stalled {
            *self = RunState::Open;
        }
    }
}

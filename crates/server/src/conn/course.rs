//! How a connection goes on: the state that its input leaves it in, and what the shard and watchers keep of it.
//!
//! ```text
//!            could go on with input         all is used
//!   Open -----------------------> Stalled --------------> Open
//!     |                              |
//!     +---- the end: quit, an error, its last byte -------+---> Closing, for good
//! ```

use corecached_protocol::event::{CloseReason, Peer};

/// Why `consume` came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// All complete requests are done.
    Dry,
    /// More could be done, in the next turn: that was its share of requests.
    Yield,
    /// More could be done, in its turn among those that go on: what comes next, or goes on, is long.
    Later,
    /// More could be done once the peer reads, other shards answer or the broadcast is through.
    Paused,
    /// The connection ends when its replies are sent.
    Close,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Course {
    /// It waits for input.
    #[default]
    Open,
    /// There is input that could be worked on.
    Stalled,
    /// It ends once its replies are sent.
    Closing,
}

impl Course {
    /// Its input has been worked on until `stop`.
    pub(super) fn after(&mut self, stop: Stop) {
        if *self == Course::Closing {
            return;
        }
        *self = match stop {
            Stop::Yield | Stop::Later | Stop::Paused => Course::Stalled,
            Stop::Dry => Course::Open,
            Stop::Close => Course::Closing,
        };
    }

    /// It ends unless there is input that could be worked on.
    pub(super) fn close_if_open(&mut self) {
        if *self == Course::Open {
            *self = Course::Closing;
        }
    }

    /// There is nothing that it could work on any more.
    pub(super) fn unstall(&mut self) {
        if *self == Course::Stalled {
            *self = Course::Open;
        }
    }
}

/// Whether it may do more than authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admittance {
    /// It may not.
    Stranger,
    /// It may not, and the next step of SASL is awaited.
    Introducing,
    /// It may.
    Admitted,
}

/// What watchers of connections hear when it closes.
#[derive(Debug, Default)]
pub(crate) struct Parting {
    /// Its client, if somebody watched connections when it came.
    pub(crate) peer: Option<Box<Peer>>,
    /// Why it is closed.
    pub(crate) reason: Option<CloseReason>,
}

/// Which of the shard's lists it is in, so that it is in none twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Those that may have replies.
    pub(crate) to_send: bool,
    /// Those with input left.
    pub(crate) to_go_on: bool,
}

impl Listed {
    /// Notes that it is in one of them; false if it was.
    #[inline]
    pub(crate) fn enter(list: &mut bool) -> bool {
        !std::mem::replace(list, true)
    }
}

//! How a connection goes on: the state in which its input leaves it, and the facts that the shard and watchers record
//! about it.
//!
//! ```text
//!            could go on with input         all is used
//!   Open -----------------------> Stalled --------------> Open
//!     |                              |
//!     +---- the end: quit, an error, its last byte -------+---> Closing, for good
//! ```

use corecached_protocol::event::{CloseReason, Peer};

use crate::admission::Admission;

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

/// How a connection goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Course {
    /// The connection waits for input.
    #[default]
    Open,
    /// The connection has kept input that it could work on.
    Stalled,
    /// The connection ends once its replies are sent.
    Closing,
}

impl Course {
    /// The connection's input has been worked on until `stop`.
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

    /// The connection ends, unless it has kept input that it could work on.
    pub(super) fn close_if_open(&mut self) {
        if *self == Course::Open {
            *self = Course::Closing;
        }
    }

    /// The connection has no kept input any more that it could work on.
    pub(super) fn unstall(&mut self) {
        if *self == Course::Stalled {
            *self = Course::Open;
        }
    }
}

/// Whether a connection may do more than authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admittance {
    /// It may not.
    Stranger,
    /// It may not; the next step of SASL is awaited.
    Introducing,
    /// It may.
    Admitted,
}

impl Admittance {
    /// That of a new connection, which has to authenticate only if the server asks for that.
    pub(crate) fn of_newcomer(admission: &Admission) -> Admittance {
        match admission.auth {
            None => Admittance::Admitted,
            Some(_) => Admittance::Stranger,
        }
    }
}

/// The facts that watchers of connections are told when a connection closes.
#[derive(Debug, Default)]
pub(crate) struct Parting {
    /// The connection's client, if a watcher of connections was there when it came.
    pub(crate) peer: Option<Box<Peer>>,
    /// Why the connection is closed.
    pub(crate) reason: Option<CloseReason>,
}

/// The shard's lists that a connection is in. It enters none of them twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The list of connections that may have replies to send.
    pub(crate) to_send: bool,
    /// The list of connections with input left.
    pub(crate) to_go_on: bool,
}

impl Listed {
    /// Notes that the connection is in `list`; returns false if it already was.
    #[inline]
    pub(crate) fn enter(list: &mut bool) -> bool {
        !std::mem::replace(list, true)
    }
}

//! Whether the socket of a connection is read, and how.
//!
//! ```text
//!            wanted otherwise               it has ended            wanted
//!   On ---------------------> Stopping -------------------> Off ------------> On, Polled
//!                                                            ^                  |
//!   Ended: the peer has sent its last byte                   +--- readable -----+
//! ```

use corecached_reactor::Stream;

use super::link::Link;

/// Reads made directly (`direct.rs`) after a large value until the next large value begins.
const DIRECT_READS_MAX: u8 = 32;

/// Whether the socket is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A receive is armed.
    On,
    /// A poll is armed instead of a receive, since large values are expected.
    Polled,
    /// The receive is being cancelled.
    Stopping,
    /// No receive is armed.
    Off,
    /// The peer has sent its last byte.
    Ended,
}

/// The change that a socket needs.
#[derive(Debug)]
pub(crate) enum ReadChange<'a> {
    /// The socket stays as it is.
    None,
    /// The receive is to be cancelled.
    Cancel,
    /// A poll is to be armed.
    Poll(&'a Stream),
    /// A receive is to be armed.
    Receive(&'a Stream),
}

/// How the socket is read.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Whether the socket is being read.
    pub(super) reading: Reading,
    /// Reads that are made directly before the connection returns to receives, unless one of them brings a large value.
    direct_left: u8,
}

impl Reads {
    /// How the socket of a new connection is read. Its first receive is armed when the socket is.
    pub(super) fn new(link: &Link) -> Reads {
        let reading = match link {
            Link::Socket(_) => Reading::On,
            Link::Datagram { .. } => Reading::Ended,
        };
        Reads {
            reading,
            direct_left: 0,
        }
    }

    /// The receive that was cancelled, or the poll, has ended.
    pub(crate) fn stopped(&mut self) {
        self.reading = Reading::Off;
    }

    /// The peer has sent its last byte.
    pub(super) fn end(&mut self) {
        self.reading = Reading::Ended;
    }

    /// Whether the peer has sent its last byte.
    pub(super) fn have_ended(&self) -> bool {
        self.reading == Reading::Ended
    }

    /// A large value begins.
    pub(super) fn expect_large(&mut self) {
        self.direct_left = DIRECT_READS_MAX;
    }

    /// A direct read has brought no large value.
    pub(super) fn count_small(&mut self) {
        self.direct_left = self.direct_left.saturating_sub(1);
    }

    /// Whether large values are expected.
    pub(super) fn are_direct(&self) -> bool {
        self.direct_left > 0
    }
}

//! Whether the socket of a connection is to be read, and how, after each of its inputs.

use super::read_state::Reading;
use super::run_state::RunState;
use super::{Conn, Link, Phase, ReadChange};

/// With this many bytes of input waiting to be parsed, the socket is no longer read.
const INPUT_BYTES_MAX: usize = 64 * 1024;

impl Conn {
    /// Whether the connection's socket is to be polled and read by [`Conn::read_directly`].
    pub(super) fn wants_direct(&self) -> bool {
        // This is asked between inputs: while a secure connection works on one, it does not know that it is secure.
        self.reads.are_direct() && !self.is_secure()
    }

    /// Whether the next read would be of a value that has no memory yet.
    pub(super) fn needs_room(&self) -> bool {
        self.input.is_empty() && matches!(&self.phase, Phase::Value(upload) if upload.needs_room())
    }

    /// The change that the socket needs now. The caller makes it.
    pub(crate) fn next_read_change(&mut self) -> ReadChange<'_> {
        let wanted = self.wanted_reading();
        match (self.reads.reading, wanted) {
            (Reading::On, Some(Reading::On)) => ReadChange::None,
            (Reading::On, _) => {
                self.reads.reading = Reading::Stopping;
                ReadChange::Cancel
            }
            (Reading::Off, Some(wanted)) if !self.is_closing() => {
                self.reads.reading = wanted;
                match (&self.link, wanted) {
                    (Link::Datagram { .. }, _) => ReadChange::None,
                    (Link::Socket(stream), Reading::Polled) => ReadChange::Poll(stream),
                    (Link::Socket(stream), _) => ReadChange::Receive(stream),
                }
            }
            _ => ReadChange::None,
        }
    }

    /// Whether the connection has received more requests than it may keep waiting. A long line that is not complete yet
    /// does not count: the parser bounds it.
    pub(crate) fn input_is_full(&self) -> bool {
        self.run_state == RunState::Stalled && self.input.len() > INPUT_BYTES_MAX
    }

    /// How the socket should be read from now on; `None` leaves the socket unread.
    pub(super) fn wanted_reading(&self) -> Option<Reading> {
        match self.wants_direct() {
            _ if self.input_is_full() => None,
            true if self.run_state == RunState::Stalled && self.needs_room() => None,
            true => Some(Reading::Polled),
            false => Some(Reading::On),
        }
    }
}

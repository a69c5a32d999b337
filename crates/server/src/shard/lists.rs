//! The lists of a shard's connections that wait, one for each thing that they wait for.
//!
//! ```text
//! arrivals           have come, and are not in the table yet
//! handshakes         have received a message of their handshake
//! ready              could go on with input that they have
//! until_window_end   could go on so, but only once a warm window has ended
//! to_send            may have replies
//! to_close           are to be closed
//! ```
//!
//! A connection is in `ready` or `until_window_end` at most once, and in `to_send` at most once; the connection itself
//! remembers whether it is ([`Listed`]).

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crate::conn::{Conn, Listed};
use crate::ids::{ConnId, ReplyTo};
use crate::listen::ListenerId;

/// A connection that has come.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) fd: OwnedFd,
    /// The address that the client connected to.
    pub(super) listener: ListenerId,
    /// Whether another shard has accepted and counted the connection.
    pub(super) is_handed_over: bool,
}

/// The lists of one shard.
#[derive(Debug, Default)]
pub(super) struct Lists {
    arrivals: VecDeque<Newcomer>,
    handshakes: VecDeque<ConnId>,
    ready: VecDeque<ConnId>,
    until_window_end: Vec<ConnId>,
    to_send: Vec<ConnId>,
    to_close: VecDeque<ConnId>,
}

impl Lists {
    /// Whether no connection waits for the next turn.
    pub(super) fn are_empty(&self) -> bool {
        self.arrivals.is_empty()
            && self.ready.is_empty()
            && self.to_send.is_empty()
            && self.to_close.is_empty()
            && self.handshakes.is_empty()
    }

    /// Whether a connection waits for the end of the warm window.
    pub(super) fn has_waiting_for_window(&self) -> bool {
        !self.until_window_end.is_empty()
    }

    /// A warm window has ended: connections that have waited for that may go on.
    pub(super) fn window_ended(&mut self) {
        self.ready.extend(self.until_window_end.drain(..));
    }

    /// A connection has come.
    pub(super) fn arrives(&mut self, newcomer: Newcomer) {
        self.arrivals.push_back(newcomer);
    }

    /// Takes the connection that has waited longest to be taken in.
    pub(super) fn next_arrival(&mut self) -> Option<Newcomer> {
        self.arrivals.pop_front()
    }

    /// A connection has a message of its handshake to work on.
    pub(super) fn shakes_hands(&mut self, id: ConnId) {
        self.handshakes.push_back(id);
    }

    /// Takes the connection whose handshake has waited longest.
    pub(super) fn next_handshake(&mut self) -> Option<ConnId> {
        self.handshakes.pop_front()
    }

    /// Puts a connection on the lists that it belongs to after it has worked.
    #[inline]
    pub(super) fn after_work(&mut self, conn: &mut Conn) {
        let id = conn.id;
        if Listed::enter(&mut conn.listed.to_send) {
            self.to_send.push(id);
        }
        if conn.can_resume() && Listed::enter(&mut conn.listed.to_go_on) {
            match conn.waits_for_window() {
                true => self.until_window_end.push(id),
                false => self.ready.push_back(id),
            }
        }
    }

    /// Number of connections that could go on in this turn.
    pub(super) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// Takes the connection that has waited longest to go on.
    pub(super) fn next_ready(&mut self) -> Option<ConnId> {
        self.ready.pop_front()
    }

    /// Takes the list of connections that may have replies; it goes back by [`Lists::give_back`].
    pub(super) fn take_to_send(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.to_send)
    }

    /// A connection has more to send than its last send could hold.
    pub(super) fn sends_again(&mut self, conn: &mut Conn) {
        if Listed::enter(&mut conn.listed.to_send) {
            self.to_send.push(conn.id);
        }
    }

    /// Keeps the memory of a list that has been worked through.
    pub(super) fn give_back(&mut self, list: Vec<ConnId>) {
        if self.to_send.is_empty() {
            self.to_send = list;
        }
    }

    /// A connection is to be closed.
    pub(super) fn close(&mut self, id: ConnId) {
        self.to_close.push_back(id);
    }

    /// Takes the connection that has waited longest to be closed.
    pub(super) fn next_to_close(&mut self) -> Option<ConnId> {
        self.to_close.pop_front()
    }
}

/// The requests for certificates to be read again.
#[derive(Debug, Default)]
pub(super) struct Refreshes {
    pub(super) is_under_way: bool,
    /// Whether the certificates have to be read once more.
    pub(super) is_wanted: bool,
    /// The replies that wait for that reading.
    pub(super) waiting: Vec<ReplyTo>,
}

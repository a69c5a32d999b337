//! Connections go: what a connection gives back when it is closed, and what watchers are told of it. Which connections
//! are closed is decided elsewhere; they wait in a list (`lists.rs`) until a turn has the engine.

use std::os::fd::AsRawFd;

use corecached_protocol::event::{self, CloseReason};
use corecached_protocol::text::Streams;
use tracing::debug;

use crate::conn::{Conn, Link};
use crate::ids::ConnId;
use crate::lending::core::Core;

use super::Net;

impl Net {
    /// Has a connection closed in the next turn, because something failed.
    pub(super) fn fail_conn(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.close_event.reason.get_or_insert(CloseReason::Error);
        }
        self.lists.close(id);
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, id: ConnId, core: &mut Core) {
        let Some(mut conn) = self.conns.remove(id) else {
            return;
        };
        self.note_closed(&mut conn);
        self.meter
            .closed(&mut conn.measured, id, &self.shared.latency);
        let mut access = core.access(self.id, self.now, conn.raw_fd());
        let unsent = conn.abandon(&mut access, &mut self.router, &self.shared);
        self.unpin(unsent, core);
        let stream = match conn.into_link() {
            Link::Socket(stream) => stream,
            Link::Datagram { slot, .. } => return self.udp.close(slot),
        };
        debug!(
            fd = stream.as_raw_fd(),
            shard = self.id.0,
            "connection closed"
        );
        self.reactor.close(stream);
        self.forget_connection();
    }

    /// Tells watchers of connections of the end of one.
    fn note_closed(&mut self, conn: &mut Conn) {
        if conn.is_datagram() || !self.log.wants(Streams::CONNEVENTS) {
            return;
        }
        let peer = match conn.close_event.peer.take() {
            Some(peer) => *peer,
            None => crate::listen::peer(conn.raw_fd()),
        };
        let reason = conn.close_event.reason.unwrap_or_default();
        self.log.add(Streams::CONNEVENTS, |out| {
            event::conn_close(out, &peer, reason);
        });
    }
}

//! What the reactor reports about sockets: each event goes to the connection, listener or UDP socket that it is about.

use corecached_reactor::{Event, IN_DOUBT, RecvBuf, SendId};
use tracing::error;

use crate::conn::{Arrival, HandshakeTurn, ReadChange};
use crate::ids::ConnId;
use crate::lending::core::Core;

use super::Net;
use super::acceptor::listener_id;
use super::lists::Newcomer;

impl Net {
    pub(super) fn handle_event(&mut self, event: Event, core: &mut Core) {
        match event {
            Event::Received { token, buf } => self.received(ConnId::from_token(token), buf, core),
            Event::Eof { token } => self.ended(ConnId::from_token(token)),
            Event::RecvFailed { token, .. } => self.fail_conn(ConnId::from_token(token)),
            Event::Readable { token } => self.readable(ConnId::from_token(token), core),
            Event::RecvStopped { token } => self.recv_stopped(ConnId::from_token(token)),
            Event::SendBlocked { token, send } => {
                self.send_blocked(ConnId::from_token(token), send);
            }
            Event::SendDone {
                token,
                send,
                inserts,
            } => {
                self.unpin(inserts, core);
                self.sent(ConnId::from_token(token), send);
            }
            Event::SendFailed {
                token,
                errno,
                inserts,
                ..
            } => {
                self.unpin(inserts, core);
                self.send_failed(ConnId::from_token(token), errno);
            }
            Event::Accepted { token, fd } => self.lists.arrives(Newcomer {
                fd,
                listener: listener_id(token),
                is_handed_over: false,
            }),
            Event::AcceptFailed { token, errno } => {
                self.accept_failed(listener_id(token), errno);
            }
            Event::Datagram { token, buf } => {
                self.upkeep.note_traffic();
                self.datagram(listener_id(token), buf, core);
            }
            Event::DatagramsFailed { token, errno } => {
                self.datagrams_failed(listener_id(token), errno);
            }
            Event::Doorbell | Event::Wake | Event::WindowEnded { .. } => {}
        }
    }

    fn received(&mut self, id: ConnId, buf: RecvBuf, core: &mut Core) {
        self.upkeep.note_traffic();
        let turn = self.with_conn(id, core, |conn, buffers, cx| {
            let bytes = buffers.reactor.bytes(&buf);
            let turn = conn.handshake_turn(bytes);
            if turn == HandshakeTurn::Now {
                conn.receive(bytes, buffers.scratch, cx);
            }
            turn
        });
        if turn == Some(HandshakeTurn::ToBeQueued) {
            self.lists.shakes_hands(id);
        }
        self.reactor.recycle(buf);
    }

    /// Reads from a connection that large values are expected from, since its socket is readable.
    fn readable(&mut self, id: ConnId, core: &mut Core) {
        self.upkeep.note_traffic();
        let mut landing = self.buffers.take_landing();
        let arrival = self.with_conn(id, core, |conn, _, cx| {
            conn.reads.stopped();
            let arrival = conn.read_directly(&mut landing, cx);
            if !matches!(arrival, Ok(Arrival::Bytes)) {
                conn.input_ended();
            }
            arrival
        });
        self.buffers.give_landing(landing);
        if matches!(arrival, Some(Err(_))) {
            self.fail_conn(id);
        }
    }

    /// The peer of a connection has sent its last byte.
    fn ended(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.input_ended();
            self.after_input(id);
        }
    }

    /// The cancelled receive of a connection has ended.
    fn recv_stopped(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.reads.stopped();
            self.after_input(id);
        }
    }

    /// The socket of a connection could not take all replies at once.
    fn send_blocked(&mut self, id: ConnId, send: SendId) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.send_blocked(send).is_err()
        {
            self.stream_in_doubt(id);
        }
        self.measure_blocked(id);
        // From now on the bytes being sent count as the connection's memory.
        self.conns.count(id);
    }

    /// A send is done whose bytes the socket could not take at once or that held values in slab memory.
    fn sent(&mut self, id: ConnId, send: SendId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if conn.send_done(send, self.now).is_err() {
            return self.stream_in_doubt(id);
        }
        conn.take_watched();
        self.measure_unblocked(id);
        self.after_input(id);
    }

    /// The replies of a connection could not be sent.
    fn send_failed(&mut self, id: ConnId, errno: i32) {
        match errno {
            IN_DOUBT => self.stream_in_doubt(id),
            _ => self.fail_conn(id),
        }
    }

    /// Closes a connection of which nobody knows how much the peer has got: anything sent to it now could be taken for
    /// something else.
    fn stream_in_doubt(&mut self, id: ConnId) {
        error!(
            shard = self.id.0,
            "a connection is closed, as it is not known which of its replies were sent"
        );
        self.counters().streams_in_doubt.add(1);
        self.fail_conn(id);
    }

    /// Puts a connection on the lists that it belongs to after it has worked.
    pub(super) fn after_input(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        self.lists.after_work(conn);
        match conn.next_read_change() {
            ReadChange::None => {}
            ReadChange::Cancel => self.reactor.cancel_recv(id.token()),
            ReadChange::Poll(stream) => self.reactor.poll(stream),
            ReadChange::Receive(stream) => self.reactor.recv(stream),
        }
    }
}

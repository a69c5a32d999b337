//! UDP: each request datagram becomes a connection that has already sent its last byte. Its replies go out as one
//! message when the last of them is there, whichever shard it came from.
//!
//! ```text
//!   datagram --> frame off --> Conn (Link::Datagram) --> the same codecs, engine and mesh as any connection
//!                                 |
//!        answered: frame on, cut into 1400 bytes --> reactor --> gone from the table
//! ```
//!
//! Nothing here waits: a reply that the reactor has no room for, or that a sender's network may not have (see
//! `udp_rate.rs`), is dropped and counted, as UDP may lose anything.

use corecached_protocol::{Codec, reply, udp};
use corecached_reactor::{DatagramBuf, Outgoing, Token};
use tracing::{debug, error, warn};

use crate::conn::{AuthState, Conn, Link};
use crate::ids::ConnId;
use crate::lending::core::Core;
use crate::listen::{ListenerId, Transport};

use super::Net;
use super::udp_requests::Sender;

impl Net {
    /// A datagram has come.
    pub(super) fn datagram(&mut self, listener: ListenerId, buf: DatagramBuf, core: &mut Core) {
        if self.admit(listener, &buf, core).is_none() {
            self.counters().udp_dropped.add(1);
        }
        self.reactor.recycle_datagram(buf);
    }

    /// Executes the request in a datagram; `None` if the datagram is no request.
    fn admit(&mut self, listener: ListenerId, buf: &DatagramBuf, core: &mut Core) -> Option<()> {
        if self.is_ending() {
            return None;
        }
        let (peer, bytes) = self.reactor.datagram(buf)?;
        let counters = self.shared.telemetry.of(self.id.0);
        counters.bytes_read.add(bytes.len() as u64);
        let (request, _) = udp::request(bytes)?;
        let slot = self.udp.open(Sender { peer, request })?;
        let socket = self.acceptor.listener(listener).raw_fd();
        let link = Link::datagram(socket, slot);
        let auth = AuthState::of_new_conn(&self.shared.admission);
        let now = self.now;
        let id = self
            .conns
            .insert(|id| Conn::new(link, id, listener, auth, None, now));
        self.with_conn(id, core, |conn, buffers, cx| {
            let (_, bytes) = buffers.reactor.datagram(buf)?;
            conn.receive_plain(bytes.get(udp::HEADER_BYTES..)?, cx);
            Some(())
        })?
    }

    /// Receiving from a UDP socket has ended for good.
    pub(super) fn datagrams_failed(&self, listener: ListenerId, errno: i32) {
        warn!(
            listener = listener.0,
            "this UDP socket receives nothing more until a restart: {}",
            std::io::Error::from_raw_os_error(errno)
        );
    }

    /// Sends the reply to a datagram and ends its connection.
    pub(super) fn answer(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let Link::Datagram { slot, .. } = *conn.link() else {
            return;
        };
        let socket = self.acceptor.listener(conn.listener).token();
        let (is_text, is_cut_short) = (conn.codec() == Some(Codec::Text), conn.is_cut_short());
        let mut reply = conn.take_all_output();
        if conn.must_be_abandoned() {
            // The request was incomplete, for example half of a large value: its connection ends in `close_listed`,
            // which has the engine.
            self.lists.close(id);
        } else {
            self.conns.remove(id);
            self.udp.close(slot);
        }
        let sender = self.udp.sender(slot);
        if is_cut_short || self.is_too_large(sender, reply.len()) {
            self.counters().udp_dropped.add(1);
            self.udp.copied(&mut reply.inserts);
            reply.bytes.clear();
            if is_text {
                reply.bytes.extend_from_slice(reply::TOO_LARGE_FOR_UDP);
            }
        }
        if !reply.is_empty() && !self.send_reply(socket, sender, &reply) {
            self.counters().udp_dropped.add(1);
        }
        self.udp.copied(&mut reply.inserts);
        self.reactor.give_buffer(reply.bytes);
    }

    fn is_too_large(&self, sender: Sender, bytes: usize) -> bool {
        bytes > udp::REPLY_BYTES_MAX || self.udp.refuses(sender, bytes)
    }

    /// Frames a reply and hands it to the reactor; returns `false` if it may not be sent.
    fn send_reply(&mut self, socket: Token, sender: Sender, reply: &Outgoing) -> bool {
        let bytes = reply.len();
        let wire_bytes = bytes + udp::datagrams(bytes) * udp::HEADER_BYTES;
        if !self.udp.allows(sender, wire_bytes, self.now) {
            debug!(
                "a reply is dropped: its network has had its bytes of this second (-o udp_rate)"
            );
            return false;
        }
        let mut framed = self.reactor.take_buffer();
        udp::frame(sender.request, bytes, reply.pieces(), &mut framed);
        let net = self.shared.telemetry.of(self.id.0);
        net.bytes_written.add(wire_bytes as u64);
        self.reactor
            .send_datagrams(socket, &sender.peer, framed, udp::DATAGRAM_BYTES_MAX)
    }

    /// Receives from the UDP sockets. These sockets count as connections, as in memcached.
    pub(super) fn listen_udp(&mut self) {
        for listener in self.acceptor.listeners() {
            if self.shared.admission.listener(listener.id).transport != Transport::Udp {
                continue;
            }
            let (fd, token) = (&listener.fd, listener.token());
            if let Err(error) = self.reactor.recv_datagrams(fd, token) {
                error!("this UDP socket receives nothing until a restart: {error}");
            }
            let net = self.shared.telemetry.of(self.id.0);
            self.shared.admission.moved_in(self.id);
            net.total_connections.add(1);
        }
    }
}

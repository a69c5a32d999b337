//! Connections come and go: accepting within `-c`, balance over the shards, idle timeouts, and the end of the process.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use corecached_protocol::event::{self, CloseReason};
use corecached_protocol::reply;
use corecached_protocol::text::Streams;
use corecached_reactor::{IN_DOUBT, SendId};
use tracing::{debug, error, warn};

use crate::base::listeners::TlsKind;
use crate::conn::{Admittance, Conn, Link, Secure};
use crate::ids::{ConnId, ShardId};
use crate::lending::core::Core;
use crate::listen::ListenerId;
use crate::operation::ShardReport;
use crate::operation::walk::Place;
use crate::replies::Told;
use crate::route::control::Control;
use crate::route::stage::Stage;
use crate::tls::Tls;
use crate::wire::dump::Walked;
use crate::wire::notice::Notice;

use super::Net;
use super::lists::Newcomer;
use super::stats_conns::describe;

/// Time that the process, at its end, gives clients to take their replies.
const DRAIN_MAX: Duration = Duration::from_secs(2);

impl Net {
    /// Begins to accept from every listener that takes connections.
    pub(super) fn listen(&mut self) {
        for (fd, token) in self.acceptor.streams(&self.shared.admission) {
            self.reactor.accept(&fd, token);
        }
    }

    /// Takes in a new connection, on the shard that the kernel chose.
    pub(super) fn accepted(&mut self, listener: ListenerId, fd: OwnedFd) {
        let admission = &self.shared.admission;
        if !admission.enter() {
            return self.refuse(listener, fd);
        }
        self.counters().total_connections.add(1);
        match self.less_loaded_shard(listener) {
            Some(shard) => {
                admission.moved_in(shard);
                let handle = self.shared.route.shard(shard);
                handle.post(Control::Adopt { fd, listener });
            }
            None => {
                admission.moved_in(self.id);
                self.adopt(fd, listener);
            }
        }
    }

    /// The least loaded shard, if it has clearly fewer connections than this one and the client has not chosen the
    /// shard itself.
    fn less_loaded_shard(&self, listener: ListenerId) -> Option<ShardId> {
        let admission = &self.shared.admission;
        if admission.listener(listener).by_source_port {
            return None;
        }
        admission.less_loaded_than(self.id)
    }

    /// Takes a connection in whose place is counted already.
    pub(super) fn adopt(&mut self, fd: OwnedFd, listener: ListenerId) {
        let (now, raw) = (self.now, fd.as_raw_fd());
        let info = self.shared.admission.listener(listener);
        let Ok(session) = Tls::begin(self.shared.admission.tls.as_deref(), info) else {
            // There are no certificates for the connection, which the start has ruled out.
            return self.forget_connection();
        };
        let secure = session.map(|session| Box::new(Secure::new(session)));
        let admittance = Admittance::of_newcomer(&self.shared.admission);
        let id = self.conns.insert(|id| {
            let stream = self.reactor.open(fd, id.token());
            self.reactor.recv(&stream);
            let link = Link::Socket(stream);
            Conn::new(link, id, listener, admittance, secure, now)
        });
        self.idle_wheel.watch(id.index, now);
        self.note_opened(id);
        debug!(fd = raw, shard = self.id.0, "new client connection");
    }

    /// Refuses a connection beyond `-c`: either tells the client and closes it, or keeps it waiting and stops
    /// accepting.
    fn refuse(&mut self, listener: ListenerId, fd: OwnedFd) {
        if self.shared.globals.config.maxconns_fast {
            self.counters().rejected_connections.add(1);
            if self.shared.admission.listener(listener).tls == TlsKind::None {
                crate::listen::send_once(&fd, reply::TOO_MANY_CONNECTIONS);
            }
            return;
        }
        if self.acceptor.keep_waiting(listener, fd) {
            self.shared.admission.pause_shard();
            // Looks once more: a connection that closed just before this shard was counted as waiting has told nobody.
            self.handle().post(Control::RoomForConnections);
            self.counters().listen_disabled.add(1);
            for (_, token) in self.acceptor.streams(&self.shared.admission) {
                self.reactor.stop_accept(token);
            }
        }
    }

    /// Accepting has ended by itself, for lack of descriptors or memory.
    pub(super) fn accept_failed(&mut self, listener: ListenerId, errno: i32) {
        if self.shared.globals.is_stopping() {
            // The socket has been shut.
            return;
        }
        // The reactor tries again by itself after a while.
        warn!(
            listener = listener.0,
            "cannot accept connections, tries again in a while: {}",
            std::io::Error::from_raw_os_error(errno)
        );
        self.counters().listen_disabled.add(1);
    }

    /// Takes in the connections that wait, and accepts again, as far as there is room.
    fn accept_again(&mut self) {
        if !self.acceptor.is_paused() {
            return;
        }
        while let Some((listener, fd)) = self.acceptor.next_waiting() {
            self.accepted(listener, fd);
            if self.shared.admission.is_full() {
                return;
            }
        }
        if self.shared.admission.is_full() || self.is_ending() {
            return;
        }
        self.shared.admission.resume_shard();
        let paused_us = self.acceptor.resume().as_micros() as u64;
        self.counters().listen_disabled_us.add(paused_us);
        self.listen();
    }

    /// The peer of a connection has sent its last byte.
    pub(super) fn ended(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.input_ended();
            self.after_input(id);
        }
    }

    /// The cancelled receive of a connection has ended.
    pub(super) fn recv_stopped(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.reads.stopped();
            self.after_input(id);
        }
    }

    /// The socket of a connection could not take all replies at once.
    pub(super) fn send_blocked(&mut self, id: ConnId, send: SendId) {
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
    pub(super) fn sent(&mut self, id: ConnId, send: SendId) {
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
    pub(super) fn send_failed(&mut self, id: ConnId, errno: i32) {
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

    /// Tells watchers of connections of a new one. Its address is kept until it closes, when it may be too late to ask.
    fn note_opened(&mut self, id: ConnId) {
        if !self.log.wants(Streams::CONNEVENTS) {
            return;
        }
        if let Some(conn) = self.conns.get_mut(id) {
            let peer = crate::listen::peer(conn.raw_fd());
            self.log
                .add(Streams::CONNEVENTS, |out| event::conn_new(out, &peer));
            conn.parting.peer = Some(Box::new(peer));
        }
    }

    /// Tells watchers of connections of the end of one.
    fn note_closed(&mut self, conn: &mut Conn) {
        if conn.is_datagram() || !self.log.wants(Streams::CONNEVENTS) {
            return;
        }
        let peer = match conn.parting.peer.take() {
            Some(peer) => *peer,
            None => crate::listen::peer(conn.raw_fd()),
        };
        let reason = conn.parting.reason.unwrap_or_default();
        self.log.add(Streams::CONNEVENTS, |out| {
            event::conn_close(out, &peer, reason);
        });
    }

    /// Has a connection closed in the next turn, because something failed.
    pub(super) fn fail_conn(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.parting.reason.get_or_insert(CloseReason::Error);
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

    /// Counts a connection as closed.
    pub(super) fn forget_connection(&self) {
        let admission = &self.shared.admission;
        admission.moved_out(self.id);
        if admission.leave() {
            self.shared.route.tell_of_room();
        }
    }

    /// Takes what is in the control inbox, and answers those messages for which the engine has to be held.
    pub(super) fn take_messages(&self, core: &Core) -> Vec<Control> {
        let mut messages = self.handle().take_control();
        messages.retain(|message| {
            let Control::Report { answer } = message else {
                return true;
            };
            // Nobody waits any more when the process is ending.
            let _ = answer.send(ShardReport::of(self.id, &core.engine));
            false
        });
        messages
    }

    /// Does what the other messages ask for.
    pub(super) fn handle_control(&mut self, messages: Vec<Control>) {
        for message in messages {
            match message {
                Control::Adopt { fd, listener } => {
                    self.counters().adopted.add(1);
                    self.lists.arrives(Newcomer {
                        fd,
                        listener,
                        is_handed_over: true,
                    });
                }
                Control::DescribeConns {
                    origin,
                    reply_to,
                    from,
                    style,
                } => {
                    let (pairs, next) = describe(
                        (&self.conns, from),
                        self.acceptor.listeners(),
                        self.id,
                        &self.shared,
                        self.now,
                    );
                    let mut told = Vec::new();
                    style.notice(Notice::Statistics(&pairs), &mut told);
                    self.shared
                        .route
                        .shard(origin)
                        .post(Control::ConnsDescribed {
                            reply_to,
                            bytes: told,
                            next,
                        });
                }
                Control::ConnsDescribed {
                    reply_to,
                    bytes,
                    next,
                } => {
                    self.deliver_told(reply_to, Told::plain(&bytes));
                    let walked = Walked {
                        place: next.map(Place::Number),
                        ..Walked::default()
                    };
                    self.shard_done(reply_to.conn, |gather| gather.add_walked(walked));
                    self.after_input(reply_to.conn);
                }
                Control::Watched { conn: id } => {
                    if let Some(conn) = self.conns.get_mut(id) {
                        conn.take_watched();
                        self.after_input(id);
                    }
                }
                Control::RefreshCertificates { reply_to } => self.refresh_certificates(reply_to),
                Control::CertificatesRefreshed { reply_to, line } => {
                    self.certificates_refreshed(reply_to, &line);
                }
                Control::RoomForConnections => self.accept_again(),
                // It has been answered; and the next turn looks at its clock anyway.
                Control::Report { .. } | Control::Second => {}
            }
        }
    }

    /// Begins to end the shard once the process is told to end.
    pub(super) fn check_stopping(&mut self) {
        if self.is_ending() || !self.shared.globals.is_stopping() {
            return;
        }
        self.stopping_since = Some(Instant::now());
        self.handle().reaches(Stage::Ending);
        for listener in self.acceptor.listeners() {
            // Each of these two calls has an effect only on sockets of its own kind.
            self.reactor.stop_accept(listener.token());
            self.reactor.stop_datagrams(listener.token());
        }
        for id in self.conns.ids() {
            if let Some(conn) = self.conns.get_mut(id) {
                conn.end();
                self.after_input(id);
            }
        }
    }

    /// Whether the shard has begun to end.
    pub(super) fn is_ending(&self) -> bool {
        self.stopping_since.is_some()
    }

    /// Whether the shard has nothing left to do before the end of the process, or no more time for it. While the
    /// shard's ring still accepts connections, the port is not free.
    pub(super) fn is_drained(&self) -> bool {
        let is_quiet =
            || self.conns.len() == 0 && self.router.is_idle() && !self.reactor.is_listening();
        self.stopping_since
            .is_some_and(|since| is_quiet() || since.elapsed() > DRAIN_MAX)
    }
}

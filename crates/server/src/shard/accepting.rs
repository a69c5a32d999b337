//! Connections come: accepting within `-c`, and the balance over the shards.
//!
//! ```text
//!   accepted --> over -c? --> refused, or kept waiting while accepting is paused (`acceptor.rs`)
//!                  | no
//!                  +--> adopted here, or posted to a shard with clearly fewer connections, which adopts it
//! ```

use std::os::fd::{AsRawFd, OwnedFd};

use corecached_protocol::event;
use corecached_protocol::reply;
use corecached_protocol::text::Streams;
use tracing::{debug, warn};

use crate::base::listeners::TlsKind;
use crate::conn::{AuthState, Conn, Link, Secure};
use crate::ids::{ConnId, ShardId};
use crate::listen::ListenerId;
use crate::route::control::Control;
use crate::tls::Tls;

use super::Net;

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
        let auth = AuthState::of_new_conn(&self.shared.admission);
        let id = self.conns.insert(|id| {
            let stream = self.reactor.open(fd, id.token());
            self.reactor.recv(&stream);
            let link = Link::Socket(stream);
            Conn::new(link, id, listener, auth, secure, now)
        });
        self.idle_wheel.watch(id.index, now);
        self.note_opened(id);
        debug!(fd = raw, shard = self.id.0, "new client connection");
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
            conn.close_event.peer = Some(Box::new(peer));
        }
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
    pub(super) fn accept_again(&mut self) {
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

    /// Counts a connection as closed.
    pub(super) fn forget_connection(&self) {
        let admission = &self.shared.admission;
        admission.moved_out(self.id);
        if admission.leave() {
            self.shared.route.tell_of_room();
        }
    }
}

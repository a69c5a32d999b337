//! A server of one shard without sockets, threads and a clock that ticks, for tests and `fuzz/`. A client's bytes go
//! in, in the pieces in which they arrive, and the replies come out.
//!
//! ```text
//!   arrivals --> Conn --> engine         as in `shard/`, except for the reactor's part: replies are taken at once, a
//!                  |                     value is always received in pieces, and there is no other connection
//!                  +----> replies
//! ```

#[cfg(test)]
mod tests;

use std::fs::File;
use std::sync::Arc;

use corecached_mesh::Owner;
use corecached_protocol::udp;
use corecached_reactor::{Insert, Stream};

use crate::base::config::Config;
use crate::base::listeners::{BindingProtocol, TlsKind};
use crate::conn::{AuthState, Conn, ConnTable, Cx, KEYS_PER_TURN, Link, OUTPUT_BYTES_MAX};
use crate::ids::{ConnId, ShardId};
use crate::latency::Tally;
use crate::lending::core::Core;
use crate::listen::{ListenerId, ListenerInfo, Transport};
use crate::replies::{ReplyBuffers, ReplySlice};
use crate::route::control::Control;
use crate::route::router::Router;
use crate::run::{Built, build};
use crate::shared::Shared;
use crate::wire::dump::Walked;
use crate::wire::value::PinCookie;

/// Memory for everything that a test sends: if items were evicted, the result would depend on the pieces.
const MEMORY_BYTES: u64 = 64 << 20;
const SHARD: ShardId = ShardId(0);
const LISTENER: ListenerId = ListenerId(0);

/// The replies of a fresh server to a client whose bytes arrive in these pieces, and whether the server closes the
/// connection before the client does.
#[must_use]
pub fn stream(arrivals: &[&[u8]]) -> (Vec<u8>, bool) {
    let socket = File::open("/dev/null").expect("there is a /dev/null");
    let mut server = Server::start(Transport::Tcp);
    let answers = server.converse(Link::Socket(Stream::unattached(socket.into())), arrivals);
    server.end();
    answers
}

/// The messages that a fresh server sends for these datagrams, one after the other, each as the kernel gets it: cut
/// into datagrams at every [`udp::DATAGRAM_BYTES_MAX`] bytes. `None` for a datagram that is no request.
#[must_use]
pub fn datagrams(datagrams: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut server = Server::start(Transport::Udp);
    let messages = datagrams.iter().map(|datagram| {
        let (request, bytes) = udp::request(datagram)?;
        let link = Link::datagram(-1, 0);
        let (reply, _) = server.converse(link, &[bytes]);
        let mut message = Vec::new();
        udp::frame(
            request,
            reply.len(),
            std::iter::once(reply.as_slice()),
            &mut message,
        );
        Some(message)
    });
    let messages = messages.collect();
    server.end();
    messages
}

struct Server {
    shared: Arc<Shared>,
    owner: Owner<Core>,
    router: Router,
    reply_buffers: ReplyBuffers,
    conns: ConnTable,
}

impl Server {
    fn start(transport: Transport) -> Server {
        let config = Config {
            threads: 1,
            memory_limit_bytes: MEMORY_BYTES,
            ..Config::default()
        };
        let listener = ListenerInfo {
            transport,
            protocol: BindingProtocol::Auto,
            tls: TlsKind::None,
            tag: None,
            by_source_port: false,
        };
        let built = build(config, None, vec![listener]);
        let Built {
            shared, mut parts, ..
        } = built.unwrap_or_else(|error| panic!("{error}"));
        shared.globals.clock.pause();
        let parts = parts.pop().expect("one shard");
        Server {
            shared,
            owner: parts.owner,
            router: parts.router,
            reply_buffers: ReplyBuffers::default(),
            conns: ConnTable::default(),
        }
    }

    /// Runs a connection from its first byte to its last.
    fn converse(&mut self, link: Link, arrivals: &[&[u8]]) -> (Vec<u8>, bool) {
        let now = self.shared.globals.clock.now();
        let new = |id| Conn::new(link, id, LISTENER, AuthState::Done, None, now);
        let id = self.conns.insert(new);
        let mut replies = Vec::new();
        for bytes in arrivals {
            self.work(id, &mut replies, |conn, cx| conn.receive_plain(bytes, cx));
        }
        let is_closed = self.conn(id).is_closing();
        self.conn(id).input_ended();
        self.work(id, &mut replies, |_, _| ());
        if self.conn(id).is_cut_short() {
            // The shard answers that the reply is too large, or sends nothing.
            replies.clear();
        }
        self.close(id);
        (replies, is_closed)
    }

    /// Lets a connection work, and go on until it waits for input.
    fn work(
        &mut self,
        id: ConnId,
        replies: &mut Vec<u8>,
        first: impl FnOnce(&mut Conn, &mut Cx<'_>),
    ) {
        self.with_conn(id, first);
        self.take_replies(id, replies);
        while self.conn(id).can_resume() {
            self.with_conn(id, |conn, cx| {
                cx.has_long_turn = true;
                conn.resume(cx);
            });
            self.take_replies(id, replies);
        }
    }

    fn with_conn<T>(&mut self, id: ConnId, work: impl FnOnce(&mut Conn, &mut Cx<'_>) -> T) -> T {
        let mut turn = self.owner.resume();
        let core: &mut Core = &mut turn;
        core.observer.sync(&mut core.engine);
        let conn = self.conns.get_mut(id).expect("it is open");
        let mut cx = Cx {
            access: core.access(SHARD, self.shared.globals.clock.now(), conn.raw_fd()),
            router: &mut self.router,
            shared: &self.shared,
            net: self.shared.telemetry.of(SHARD.0),
            reply_buffers: &mut self.reply_buffers,
            tally: Tally::default(),
            output_bytes_max: OUTPUT_BYTES_MAX,
            keys_left: KEYS_PER_TURN,
            has_long_turn: false,
        };
        work(conn, &mut cx)
    }

    fn conn(&mut self, id: ConnId) -> &mut Conn {
        self.conns.get_mut(id).expect("it is open")
    }

    /// Takes the replies, as if the socket had room for all of them.
    fn take_replies(&mut self, id: ConnId, replies: &mut Vec<u8>) {
        for message in self.shared.route.shard(SHARD).take_control() {
            let shared = Arc::clone(&self.shared);
            let conn = self.conn(id);
            if let Control::DescribeConns { reply_to, .. } = message {
                // There is nothing to tell: the only connection is that of a test.
                conn.fulfil(
                    reply_to.seq,
                    &mut ReplyBuffers::default(),
                    ReplySlice::plain(&[]),
                );
                if conn.gather_mut().is_some_and(|gather| {
                    gather.add_walked(Walked::default());
                    gather.done()
                }) {
                    conn.finish_gather(&shared, &mut ReplyBuffers::default());
                }
            }
        }
        while let Some(outgoing) = self.conn(id).take_output() {
            outgoing
                .pieces()
                .for_each(|piece| replies.extend_from_slice(piece));
            self.unpin(outgoing.inserts);
        }
    }

    fn unpin(&mut self, inserts: Vec<Insert>) {
        let mut turn = self.owner.resume();
        for pin in inserts.into_iter().filter_map(PinCookie::of) {
            turn.engine.unpin(pin.pin);
        }
    }

    fn close(&mut self, id: ConnId) {
        let shared = Arc::clone(&self.shared);
        let unsent = self.with_conn(id, |conn, cx| {
            conn.abandon(&mut cx.access, cx.router, &shared)
        });
        self.unpin(unsent);
        self.conns.remove(id);
    }

    /// Checks at the end, when no client is connected any more, that memory of values half received or being sent is
    /// free again.
    fn end(&mut self) {
        self.owner.resume().engine.check_integrity();
    }
}

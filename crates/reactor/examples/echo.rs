//! A server that answers each line with one fixed reply, for measuring the reactor alone.
//!
//! `echo PORT CPU [SHORT_WINDOW_USEC [BUFFERS [BUFFER_BYTES [MIN_WAIT_USEC]]]]`

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use corecached_reactor::{Event, Outgoing, Reactor, ReactorConfig, Stream, Token, WhenIdle, probe};
use glommio::{LocalExecutorBuilder, Placement};
use socket2::{Domain, Protocol, Socket, Type};

const LISTENER: Token = Token(Token::MAX.0);

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    probe(1)?;
    let port = argument(1, 21000)?;
    let mut config = ReactorConfig::default();
    config.short_window = Duration::from_micros(argument(3, 2000)?);
    config.buffers = argument(4, config.buffers)?;
    config.buffer_bytes = argument(5, config.buffer_bytes)?;
    let min_wait_usec = argument(6, 0)?;
    let server = LocalExecutorBuilder::new(Placement::Fixed(argument(2, 0)?))
        .io_memory(0)
        .spawn(move || async move {
            let served = Server::start(port, &config, min_wait_usec);
            let failure = match served {
                Ok(mut server) => server.run().await.err(),
                Err(error) => Some(error),
            };
            failure.map(|error| error.to_string())
        })?;
    match server.join()? {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

fn argument<T: FromStr>(index: usize, default: T) -> Result<T, T::Err> {
    std::env::args()
        .nth(index)
        .map_or(Ok(default), |text| text.parse())
}

struct Server {
    reactor: Reactor,

    /// Connections by the low half of their token; a closed connection leaves its place to the next.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// The number of connections so far: the high half of the next token.
    opened: u64,
    reply: Vec<u8>,
    min_wait_usec: u32,
}

struct Connection {
    stream: Stream,
    reply: Option<Vec<u8>>,
    is_blocked: bool,
}

impl Server {
    fn start(port: u16, config: &ReactorConfig, min_wait_usec: u32) -> Result<Server, Error> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        listener.set_reuse_address(true)?;
        listener.set_tcp_nodelay(true)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        listener.listen(1024)?;
        let mut reactor = Reactor::new(config)?;
        let listener = Arc::new(OwnedFd::from(listener));
        reactor.accept(&listener, LISTENER);
        let value = "x".repeat(100);
        Ok(Server {
            reactor,
            connections: Vec::new(),
            free: Vec::new(),
            opened: 0,
            reply: format!("VALUE key 0 100\r\n{value}\r\nEND\r\n").into_bytes(),
            min_wait_usec,
        })
    }

    async fn run(&mut self) -> Result<(), Error> {
        let (mut events, mut to_send) = (Vec::new(), Vec::new());
        let mut was_quiet = false;
        loop {
            match self.min_wait_usec {
                0 => self.reactor.turn(WhenIdle::Sleep, &mut events)?,
                usec => self.reactor.turn_batched(usec, 32, &mut events)?,
            }
            let mut is_quiet = true;
            let mut has_ended = false;
            for event in events.drain(..) {
                match event {
                    Event::WindowEnded { .. } => has_ended = true,
                    event => {
                        is_quiet = false;
                        self.handle(event, &mut to_send);
                    }
                }
            }
            self.flush(&mut to_send);
            was_quiet &= is_quiet;
            if has_ended {
                if std::mem::replace(&mut was_quiet, true) {
                    self.reactor.park().await?;
                }
                glommio::yield_if_needed().await;
            }
        }
    }

    fn handle(&mut self, event: Event, to_send: &mut Vec<Token>) {
        match event {
            Event::Accepted { fd, .. } => self.open(fd),
            Event::Received { token, buf } => {
                if let Some(connection) = find(&mut self.connections, token) {
                    let lines = self
                        .reactor
                        .bytes(&buf)
                        .iter()
                        .filter(|&&byte| byte == b'\n')
                        .count();
                    if connection.reply.is_none() && !connection.is_blocked {
                        to_send.push(token);
                    }
                    let reply = connection
                        .reply
                        .get_or_insert_with(|| self.reactor.take_buffer());
                    (0..lines).for_each(|_| reply.extend_from_slice(&self.reply));
                }
                self.reactor.recycle(buf);
            }
            Event::SendBlocked { token, .. } => self.set_blocked(token, true),
            Event::SendDone { token, .. } => {
                self.set_blocked(token, false);
                to_send.push(token);
            }
            Event::Eof { token }
            | Event::RecvFailed { token, .. }
            | Event::SendFailed { token, .. } => {
                self.close(token);
            }
            Event::AcceptFailed { errno, .. } => eprintln!("accept failed: {errno}"),
            Event::RecvStopped { .. }
            | Event::Readable { .. }
            | Event::Datagram { .. }
            | Event::DatagramsFailed { .. }
            | Event::Doorbell
            | Event::Wake
            | Event::WindowEnded { .. } => {}
        }
    }

    fn open(&mut self, fd: OwnedFd) {
        let index = self.free.pop().unwrap_or(self.connections.len());
        if index == self.connections.len() {
            self.connections.push(None);
        }
        self.opened = (self.opened + 1) % (1 << 24);
        let token = Token(self.opened << 32 | index as u64);
        let stream = self.reactor.open(fd, token);
        self.reactor.recv(&stream);
        self.connections[index] = Some(Connection {
            stream,
            reply: None,
            is_blocked: false,
        });
    }

    fn close(&mut self, token: Token) {
        let index = index_of(token);
        if let Some(connection) = self.connections[index].take_if(|it| it.stream.token() == token) {
            self.reactor.close(connection.stream);
            self.free.push(index);
        }
    }

    fn set_blocked(&mut self, token: Token, is_blocked: bool) {
        if let Some(connection) = find(&mut self.connections, token) {
            connection.is_blocked = is_blocked;
        }
    }

    fn flush(&mut self, to_send: &mut Vec<Token>) {
        for token in to_send.drain(..) {
            if let Some(connection) = find(&mut self.connections, token)
                && !connection.is_blocked
                && let Some(reply) = connection.reply.take()
            {
                let stream = &mut connection.stream;
                self.reactor.send(stream, Outgoing::from(reply));
            }
        }
    }
}

fn index_of(token: Token) -> usize {
    (token.0 & 0xffff_ffff) as usize
}

fn find(connections: &mut [Option<Connection>], token: Token) -> Option<&mut Connection> {
    connections[index_of(token)]
        .as_mut()
        .filter(|it| it.stream.token() == token)
}

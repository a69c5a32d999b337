//! A model of the reactor: random sends, receives, accepts, closes and parks, with sockets that hold little, peers that
//! read late, too few receive buffers, and a kernel that now and then does not take what it is given.
//!
//! Of each connection the model knows what a caller may know: which send is under way, by its id, and all bytes of the
//! stream so far. Each event must be one that can follow, and each stream must arrive to the byte. `REACTOR_MODEL_SEED`
//! repeats a run.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::common::{
    Random, connection, default_config, in_runtime, listen, pattern, reactor, shared, within,
};
use crate::tests::faults::{Fault, clear, inject};
use crate::{
    Event, Insert, Outgoing, Reactor, ReactorConfig, RecvBuf, SendId, Stream, Token, WhenIdle,
};

/// How long the model runs; more with `REACTOR_MODEL_SECONDS`.
const SECONDS: u64 = 5;
/// Connections open at once.
const CONNECTIONS_MAX: usize = 24;
/// The most unread bytes of a stream: the model compares all of them.
const UNREAD_BYTES_MAX: usize = 4 << 20;
/// Memory that inserts point to; it outlives the reactor.
const VALUES_BYTES: usize = 256 * 1024;
/// The accepting listener.
const LISTENER: Token = Token(Token::MAX.0);

/// The model's record of a connection's last send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Done,
    /// Not a turn has passed.
    Given(SendId, usize),
    UnderWay(SendId, usize),
}

/// One connection and what has to arrive at its peer.
struct Line {
    stream: Stream,
    peer: TcpStream,
    known: Known,
    /// Sent and not yet read by the peer.
    expected: Vec<u8>,
    /// Written by the peer and not yet received.
    written: Vec<u8>,
    is_receiving: bool,
}

struct Model {
    random: Random,
    reactor: Reactor,
    listener: TcpListener,
    lines: HashMap<Token, Line>,
    /// Closed with a send under way whose inserts are to come back.
    owed: HashMap<Token, (SendId, usize)>,
    held: Vec<RecvBuf>,
    values: &'static [u8],
    next_token: u64,
    /// Peers of connections that the reactor will accept.
    arriving: Vec<TcpStream>,
    verified_bytes: u64,
    counts: HashMap<&'static str, u64>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_stream_arrives_to_the_byte_and_every_event_names_its_send() {
    let from_clock = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |since| since.as_nanos() as u64 | 1)
    };
    let seed = number("REACTOR_MODEL_SEED").unwrap_or_else(from_clock);
    println!("REACTOR_MODEL_SEED={seed}");
    let seconds = number("REACTOR_MODEL_SECONDS").unwrap_or(SECONDS);
    within(seconds + 120, move || {
        in_runtime(move || async move {
            let end = Instant::now() + Duration::from_secs(seconds);
            let mut round = 0;
            while Instant::now() < end || round == 0 {
                Model::new(seed.wrapping_add(round) | 1)
                    .run(2_000, end)
                    .await;
                round += 1;
            }
        });
    });
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = Random(seed);
        let config = ReactorConfig {
            entries: 1 << (1 + random.below(6)),
            completion_entries: 64 << random.below(3),
            buffers: 1 << random.below(5),
            buffer_bytes: 512,
            short_window: Duration::from_micros(300),
            accept_retry: Duration::from_millis(1),
            ..default_config()
        };
        let (mut reactor, listener) = (reactor(&config), listen());
        reactor.accept(&shared(&listener), LISTENER);
        Model {
            random,
            reactor,
            listener,
            lines: HashMap::new(),
            owed: HashMap::new(),
            held: Vec::new(),
            values: Vec::leak(pattern(7, VALUES_BYTES)),
            next_token: 0,
            arriving: Vec::new(),
            verified_bytes: 0,
            counts: HashMap::new(),
        }
    }

    async fn run(mut self, steps: usize, end: Instant) {
        for step in 0..steps {
            if step > 100 && Instant::now() > end {
                break;
            }
            for _ in 0..self.random.below(12) {
                self.act();
            }
            if self.random.below(8) == 0 {
                self.refuse();
            }
            self.turn();
            if self.random.below(20) == 0 {
                self.park().await;
            }
        }
        self.finish();
    }

    /// Sleeps in the executor, if there is nothing to do, until a thread wakes it.
    async fn park(&mut self) {
        let waker = self.reactor.waker();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1));
            waker.wake();
        });
        self.reactor.park().await.unwrap();
        thread.join().unwrap();
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn act(&mut self) {
        match self.random.below(20) {
            0 if self.lines.len() < CONNECTIONS_MAX => self.connect(),
            1 if self.lines.len() < CONNECTIONS_MAX => self.arrive(),
            2 if self.random.below(4) == 0 => self.close(),
            3 => self.reactor.waker().wake(),
            4 => self.toggle_receiving(),
            5 => self.recycle(),
            6..=8 => self.write(),
            9..=12 => self.read(),
            _ => self.send(),
        }
    }

    /// The next calls of the kernel fail, or take a part.
    fn refuse(&mut self) {
        let fault = match self.random.below(6) {
            0 => Fault::Fails(libc::EAGAIN),
            1 => Fault::Fails(libc::EINTR),
            2 => Fault::Fails(libc::ENOMEM),
            3 => Fault::Fails(libc::EBUSY),
            _ => Fault::Takes(self.random.below(4) as u32),
        };
        self.count("faults");
        inject(&[fault]);
    }

    fn adopt(&mut self, own: OwnedFd, peer: TcpStream) {
        let buffer = 2048 << self.random.below(8);
        SockRef::from(&own).set_send_buffer_size(buffer).unwrap();
        peer.set_nonblocking(true).unwrap();
        let token = Token(self.next_token);
        self.next_token += 1;
        let stream = self.reactor.open(own, token);
        self.reactor.recv(&stream);
        self.lines.insert(
            token,
            Line {
                stream,
                peer,
                known: Known::Done,
                expected: Vec::new(),
                written: Vec::new(),
                is_receiving: true,
            },
        );
    }

    fn connect(&mut self) {
        let listener = listen();
        SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
        let (own, peer) = connection(&listener);
        self.adopt(own, peer);
    }

    /// A connection that the reactor accepts by itself, in the order in which they come.
    fn arrive(&mut self) {
        let peer = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        self.arriving.push(peer);
    }

    fn any(&mut self) -> Option<Token> {
        let mut tokens: Vec<Token> = self.lines.keys().copied().collect();
        tokens.sort_unstable();
        let index = self.random.below(tokens.len().max(1) as u64) as usize;
        tokens.get(index).copied()
    }

    fn close(&mut self) {
        let Some(token) = self.any() else { return };
        let line = self.lines.remove(&token).unwrap();
        if let Known::Given(send, inserts) | Known::UnderWay(send, inserts) = line.known
            && inserts > 0
        {
            self.owed.insert(token, (send, inserts));
        }
        self.count("closes");
        self.reactor.close(line.stream);
    }

    fn toggle_receiving(&mut self) {
        let Some(token) = self.any() else { return };
        let line = self.lines.get_mut(&token).unwrap();
        match line.is_receiving {
            true => self.reactor.cancel_recv(token),
            false => self.reactor.recv(&line.stream),
        }
        line.is_receiving = !line.is_receiving;
    }

    fn recycle(&mut self) {
        for buf in self.held.drain(..) {
            self.reactor.recycle(buf);
        }
    }

    /// The peer writes.
    fn write(&mut self) {
        let Some(token) = self.any() else { return };
        let bytes = pattern(
            self.random.below(99) as usize,
            1 + self.random.below(3_000) as usize,
        );
        let line = self.lines.get_mut(&token).unwrap();
        if let Ok(count) = line.peer.write(&bytes) {
            line.written.extend_from_slice(&bytes[..count]);
        }
    }

    /// The peer reads.
    fn read(&mut self) {
        let Some(token) = self.any() else { return };
        let mut piece = vec![0; 1 + self.random.below(200_000) as usize];
        let line = self.lines.get_mut(&token).unwrap();
        if let Ok(count) = line.peer.read(&mut piece) {
            verify(&mut line.expected, &piece[..count]);
            self.verified_bytes += count as u64;
        }
    }

    /// A reply of bytes, of pieces, or of so many pieces that one call does not take them.
    fn send(&mut self) {
        let Some(token) = self.any() else { return };
        let outgoing = match self.random.below(8) {
            0 => self.pieces(1 + self.random.0 as usize % 3_000),
            1 => self.pieces(250 + self.random.0 as usize % 12),
            2 | 3 => self.pieces(1 + self.random.0 as usize % 20),
            4 => pattern(
                self.random.below(50) as usize,
                1 + self.random.below(200_000) as usize,
            )
            .into(),
            _ => pattern(
                self.random.below(50) as usize,
                1 + self.random.below(3_000) as usize,
            )
            .into(),
        };
        let line = self.lines.get_mut(&token).unwrap();
        if line.known != Known::Done || line.expected.len() > UNREAD_BYTES_MAX {
            return;
        }
        for piece in outgoing.pieces() {
            line.expected.extend_from_slice(piece);
        }
        let inserts = outgoing.inserts.len();
        let send = self.reactor.send(&mut line.stream, outgoing);
        line.known = Known::Given(send, inserts);
        self.count("sends");
    }

    /// `count` inserts among bytes.
    fn pieces(&mut self, count: usize) -> Outgoing {
        let bytes = pattern(
            self.random.below(99) as usize,
            self.random.below(3_000) as usize,
        );
        let mut places: Vec<usize> = (0..count)
            .map(|_| self.random.below(bytes.len() as u64 + 1) as usize)
            .collect();
        places.sort_unstable();
        let most = if count > 300 { 60 } else { 20_000 };
        let mut outgoing = Outgoing::from(bytes);
        for (cookie, at) in (0..).zip(places) {
            let length = 1 + self.random.below(most) as usize;
            let start = self.random.below((VALUES_BYTES - length) as u64) as usize;
            let value = &self.values[start..start + length];
            // SAFETY: the values are never freed.
            let insert = unsafe { Insert::whole(at, value.as_ptr(), length, cookie) };
            outgoing.inserts.push(insert);
        }
        outgoing
    }

    fn turn(&mut self) {
        let mut events = Vec::new();
        self.reactor.turn(WhenIdle::Return, &mut events).unwrap();
        for event in events {
            self.handle(event);
        }
        // The turn after a send tells: what it has said nothing about is done.
        for line in self.lines.values_mut() {
            if let Known::Given(_, inserts) = line.known {
                assert_eq!(inserts, 0, "the end of a send with inserts is reported");
                line.known = Known::Done;
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::SendBlocked { token, send } => self.blocked(token, send),
            Event::SendDone {
                token,
                send,
                inserts,
            } => self.ended(token, send, &inserts),
            Event::SendFailed {
                token,
                send,
                errno,
                inserts,
            } => {
                assert!(!self.lines.contains_key(&token), "{send:?} failed: {errno}");
                // Cancelled, or the peer, which goes at the same time, was sooner.
                let expected = [libc::ECANCELED, libc::ECONNRESET, libc::EPIPE];
                assert!(expected.contains(&errno), "{errno}");
                self.ended(token, send, &inserts);
            }
            Event::Received { token, buf } => self.received(token, buf),
            Event::Accepted { fd, .. } => {
                let peer = self.arriving.remove(0);
                self.count("accepts");
                self.adopt(fd, peer);
            }
            Event::RecvStopped { .. } | Event::Wake | Event::WindowEnded { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn blocked(&mut self, token: Token, send: SendId) {
        self.count("blocked");
        // Closed in the same turn as it was sent: it was known then that it would be blocked.
        let Some(line) = self.lines.get_mut(&token) else {
            return;
        };
        match line.known {
            Known::Given(given, inserts) if given == send => {
                line.known = Known::UnderWay(send, inserts);
            }
            other => panic!("{send:?} is blocked, but known is {other:?}"),
        }
    }

    fn ended(&mut self, token: Token, send: SendId, inserts: &[Insert]) {
        let Some(line) = self.lines.get_mut(&token) else {
            if inserts.is_empty() {
                // The send had ended while the reactor parked, before the connection was closed.
                return;
            }
            let owed = self.owed.remove(&token);
            return assert_eq!(owed, Some((send, inserts.len())));
        };
        match line.known {
            Known::Given(given, count) | Known::UnderWay(given, count) if given == send => {
                assert_eq!(count, inserts.len());
                line.known = Known::Done;
            }
            other => panic!("{send:?} has ended, but known is {other:?}"),
        }
    }

    fn received(&mut self, token: Token, buf: RecvBuf) {
        if let Some(line) = self.lines.get_mut(&token) {
            verify(&mut line.written, self.reactor.bytes(&buf));
        }
        if self.random.below(3) == 0 {
            self.held.push(buf);
        } else {
            self.reactor.recycle(buf);
        }
    }

    /// Everybody reads to the end: what was sent is there, all of it and nothing else.
    fn finish(mut self) {
        clear();
        while self
            .lines
            .values()
            .any(|line| !line.expected.is_empty() || line.known != Known::Done)
        {
            for token in self.lines.keys().copied().collect::<Vec<_>>() {
                let mut piece = vec![0; 1 << 18];
                let line = self.lines.get_mut(&token).unwrap();
                if let Ok(count) = line.peer.read(&mut piece) {
                    verify(&mut line.expected, &piece[..count]);
                    self.verified_bytes += count as u64;
                }
            }
            self.recycle();
            self.turn();
        }
        for (_, line) in self.lines.drain() {
            line.peer.shutdown(Shutdown::Both).unwrap();
            self.reactor.close(line.stream);
        }
        self.reactor.stop_accept(LISTENER);
        for _ in 0..1_000 {
            if self.owed.is_empty() && self.reactor.connections_known() == 0 {
                break;
            }
            self.turn();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.recycle();
        assert!(self.owed.is_empty(), "inserts never came back");
        assert_eq!(self.reactor.connections_known(), 0);
        println!("{} bytes verified, {:?}", self.verified_bytes, self.counts);
    }
}

/// Takes `got` off the front of what is expected.
fn verify(expected: &mut Vec<u8>, got: &[u8]) {
    assert!(expected.starts_with(got), "not what was sent");
    expected.drain(..got.len());
}

//! Receiving: running out of buffers, stopping and going on, ends and errors.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use corecached_reactor::{Event, Reactor, ReactorConfig, RecvBuf, Stream, Token};
use socket2::SockRef;

use super::common::{
    Random, listen, opened, pattern, poll, reactor, run_until, small, within, would_block,
};

const STREAM_BYTES: usize = 20_000;

/// Writes each stream in odd pieces, taking turns, then closes all.
fn write_streams(mut peers: Vec<TcpStream>) {
    let mut random = Random(41);
    let streams: Vec<_> = (0..peers.len())
        .map(|seed| pattern(seed, STREAM_BYTES))
        .collect();
    let mut written = vec![0; peers.len()];
    while written.iter().any(|&count| count < STREAM_BYTES) {
        let index = random.below(peers.len() as u64) as usize;
        let from = written[index];
        let to = STREAM_BYTES.min(from + 1 + random.below(900) as usize);
        peers[index].write_all(&streams[index][from..to]).unwrap();
        written[index] = to;
        if random.below(50) == 0 {
            std::thread::sleep(Duration::from_micros(random.below(300)));
        }
    }
}

/// Collects what arrives and holds up to `hold` buffers before it gives the oldest back.
struct Collector {
    received: Vec<Vec<u8>>,
    held: VecDeque<RecvBuf>,
    hold: usize,
    open: usize,
}

impl Collector {
    fn handle(&mut self, reactor: &mut Reactor, event: Event) -> bool {
        match event {
            Event::Received { token, buf } => {
                self.received[token.0 as usize].extend_from_slice(reactor.bytes(&buf));
                self.held.push_back(buf);
                if self.held.len() > self.hold {
                    reactor.recycle(self.held.pop_front().unwrap());
                }
            }
            Event::Eof { .. } => self.open -= 1,
            // Nothing comes while all buffers are held: give one back now and then.
            Event::WindowEnded { .. } => {
                if let Some(buf) = self.held.pop_front() {
                    reactor.recycle(buf);
                }
            }
            other => panic!("{other:?}"),
        }
        self.open == 0
    }
}

fn starve(buffers: u16, buffer_bytes: u32, hold: usize, connections: usize) {
    let config = ReactorConfig {
        buffers,
        buffer_bytes,
        ..small()
    };
    let mut reactor = reactor(&config);
    let listener = listen();
    let (own, peers): (Vec<_>, Vec<_>) = (0..connections as u64)
        .map(|token| opened(&mut reactor, &listener, token))
        .unzip();
    own.iter().for_each(|stream| reactor.recv(stream));
    let writer = std::thread::spawn(move || write_streams(peers));
    let mut collector = Collector {
        received: vec![Vec::new(); connections],
        held: VecDeque::new(),
        hold,
        open: connections,
    };
    run_until(&mut reactor, |reactor, event| {
        collector.handle(reactor, event)
    });
    writer.join().unwrap();
    for (seed, received) in collector.received.iter().enumerate() {
        assert!(
            *received == pattern(seed, STREAM_BYTES),
            "stream {seed} is damaged"
        );
    }
    collector
        .held
        .drain(..)
        .for_each(|buf| reactor.recycle(buf));
    assert_eq!(reactor.buffers_available(), buffers);
}

#[test]
fn two_buffers_for_many_connections_lose_nothing() {
    within(60, || starve(2, 512, 0, 50));
}

#[test]
fn two_buffers_held_for_a_while_lose_nothing() {
    within(60, || starve(2, 2048, 2, 10));
}

#[test]
fn plenty_of_buffers_lose_nothing() {
    within(60, || starve(64, 4096, 5, 50));
}

#[test]
fn stopping_and_going_on_loses_nothing() {
    within(60, || {
        let mut reactor = reactor(&small());
        let (own, peer) = opened(&mut reactor, &listen(), 0);
        reactor.recv(&own);
        let writer = std::thread::spawn(move || write_streams(vec![peer]));
        let (mut received, mut stops) = (Vec::new(), 0);
        run_until(&mut reactor, |reactor, event| {
            match event {
                Event::Received { buf, .. } => {
                    received.extend_from_slice(reactor.bytes(&buf));
                    reactor.recycle(buf);
                    reactor.cancel_recv(Token(0));
                }
                Event::RecvStopped { .. } => {
                    stops += 1;
                    reactor.recv(&own);
                }
                Event::WindowEnded { .. } => {}
                Event::Eof { .. } => return true,
                other => panic!("{other:?}"),
            }
            false
        });
        writer.join().unwrap();
        assert!(
            stops > 0 && received == pattern(0, STREAM_BYTES),
            "{stops} stops"
        );
    });
}

/// After `cancel_recv` nothing is read: the peer fills the socket and then cannot write.
#[test]
fn a_stopped_connection_is_not_read() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (own, mut peer) = opened(&mut reactor, &listen(), 0);
        reactor.recv(&own);
        assert!(poll(&mut reactor).is_empty());
        reactor.cancel_recv(Token(0));
        run_until(&mut reactor, |_, event| {
            matches!(event, Event::RecvStopped { .. })
        });
        peer.set_nonblocking(true).unwrap();
        let full = loop {
            if let Err(error) = peer.write(&[0; 65536]) {
                break error;
            }
        };
        assert!(would_block(&full));
        assert!(poll(&mut reactor).is_empty());
        reactor.cancel_recv(Token(0));
        assert!(poll(&mut reactor).is_empty(), "nothing to stop");
    });
}

#[test]
fn a_reset_is_reported_as_a_failure() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (own, peer) = opened(&mut reactor, &listen(), 3);
        reactor.recv(&own);
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(peer);
        run_until(&mut reactor, |_, event| match event {
            Event::RecvFailed {
                token: Token(3),
                errno: libc::ECONNRESET,
            } => true,
            Event::WindowEnded { .. } => false,
            other => panic!("{other:?}"),
        });
    });
}

/// A receive that ran dry is not with the kernel: stopping it is reported all the same, and it can go on later.
#[test]
fn a_dry_connection_can_be_stopped() {
    within(30, || {
        let mut reactor = reactor(&ReactorConfig {
            buffers: 1,
            ..small()
        });
        let listener = listen();
        let pairs: Vec<(Stream, TcpStream)> = (0..2)
            .map(|token| opened(&mut reactor, &listener, token))
            .collect();
        for (own, peer) in &pairs {
            let mut peer = peer;
            peer.write_all(b"x").unwrap();
            reactor.recv(own);
        }
        let mut held = None;
        run_until(&mut reactor, |_, event| match event {
            Event::Received { token, buf } => {
                held = Some((token, buf));
                true
            }
            other => panic!("{other:?}"),
        });
        let (token, buf) = held.unwrap();
        let other = Token(1 - token.0);
        reactor.cancel_recv(other);
        run_until(
            &mut reactor,
            |_, event| matches!(event, Event::RecvStopped { token } if token == other),
        );
        reactor.recycle(buf);
        reactor.recv(&pairs[other.0 as usize].0);
        run_until(&mut reactor, |reactor, event| match event {
            Event::Received { token, buf } => {
                assert_eq!(token, other);
                reactor.recycle(buf);
                true
            }
            _ => false,
        });
    });
}

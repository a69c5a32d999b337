//! Closing: nothing leaks and nothing stale is reported, with data in flight in both directions.

use std::collections::HashSet;
use std::fs;
use std::io::Write;

use corecached_reactor::{Event, Insert, Outgoing, Reactor, Stream, Token};

use super::common::{Random, listen, opened, poll, reactor, run_until, shared, small, within};

/// Descriptors of this process that are sockets bound to `port` on either side are hard to tell apart, so the leak test
/// runs in a process of its own: see `accept::in_child`.
fn descriptor_count() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn ten_thousand_connections_leak_nothing() {
    super::accept::in_child("close::ten_thousand_connections_child");
}

#[test]
#[ignore = "run in a process of its own by ten_thousand_connections_leak_nothing"]
fn ten_thousand_connections_child() {
    within(120, || {
        let mut reactor = reactor(&small());
        let listener = listen();
        let before = descriptor_count();
        let mut random = Random(5);
        for batch in 0..100 {
            churn(&mut reactor, &listener, batch * 100, &mut random);
        }
        let events: Vec<_> = (0..3).flat_map(|_| poll(&mut reactor)).collect();
        assert!(events.is_empty(), "{events:?}");
        assert_eq!(reactor.connections_known(), 0);
        assert_eq!(reactor.buffers_available(), small().buffers);
        assert_eq!(descriptor_count(), before);
    });
}

/// Opens 100 connections, sends both ways without waiting, and closes them in any state.
fn churn(reactor: &mut Reactor, listener: &std::net::TcpListener, first: u64, random: &mut Random) {
    let mut own = Vec::new();
    let mut peers = Vec::new();
    for token in first..first + 100 {
        let (mut stream, mut peer) = opened(reactor, listener, token);
        peer.set_nonblocking(true).unwrap();
        let _ = peer.write(&vec![1; 1 + random.below(5_000) as usize]);
        reactor.recv(&stream);
        if random.below(2) == 0 {
            let len = if random.below(4) == 0 { 8 << 20 } else { 100 };
            reactor.send(&mut stream, Outgoing::from(vec![2; len]));
        }
        own.push(stream);
        peers.push(peer);
    }
    let mut closed = HashSet::new();
    while !own.is_empty() {
        for _ in 0..random.below(40) {
            close_one(reactor, &mut own, &mut closed, random);
        }
        for event in poll(reactor) {
            check(reactor, event, &closed);
        }
        peers.truncate(own.len() + 10);
    }
}

fn close_one(
    reactor: &mut Reactor,
    own: &mut Vec<Stream>,
    closed: &mut HashSet<Token>,
    random: &mut Random,
) {
    if !own.is_empty() {
        let stream = own.swap_remove(random.below(own.len() as u64) as usize);
        closed.insert(stream.token());
        reactor.close(stream);
    }
}

/// An event of a later turn never names a closed connection.
fn check(reactor: &mut Reactor, event: Event, closed: &HashSet<Token>) {
    let text = format!("{event:?}");
    let token = match event {
        Event::Received { token, buf } => {
            reactor.recycle(buf);
            token
        }
        Event::SendBlocked { token, .. } | Event::SendDone { token, .. } => token,
        Event::Eof { token }
        | Event::RecvFailed { token, .. }
        | Event::SendFailed { token, .. } => token,
        _ => return,
    };
    assert!(!closed.contains(&token), "stale: {text}");
}

#[test]
fn closing_returns_the_inserts_of_a_blocked_send() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (mut own, _peer) = opened(&mut reactor, &listen(), 1);
        let value = vec![7; 32 << 20];
        // SAFETY: the value outlives the reactor.
        let insert = unsafe { Insert::whole(0, value.as_ptr(), value.len(), 9) };
        let outgoing = Outgoing {
            bytes: b"\r\n".to_vec(),
            inserts: vec![insert],
        };
        reactor.send(&mut own, outgoing);
        run_until(&mut reactor, |_, event| {
            matches!(event, Event::SendBlocked { .. })
        });
        reactor.close(own);
        run_until(&mut reactor, |_, event| match event {
            Event::SendFailed {
                token: Token(1),
                errno: libc::ECANCELED,
                inserts,
                ..
            } => {
                assert_eq!(inserts[0].cookie(), 9);
                true
            }
            Event::WindowEnded { .. } => false,
            other => panic!("{other:?}"),
        });
        assert_eq!(reactor.connections_known(), 0);
    });
}

#[test]
fn what_was_sent_before_the_close_arrives_and_then_the_end() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (mut own, mut peer) = opened(&mut reactor, &listen(), 1);
        reactor.recv(&own);
        reactor.send(&mut own, Outgoing::from(b"SERVER_ERROR\r\n".to_vec()));
        reactor.close(own);
        assert!(poll(&mut reactor).is_empty());
        assert!(poll(&mut reactor).is_empty());
        let mut received = String::new();
        std::io::Read::read_to_string(&mut peer, &mut received).unwrap();
        assert_eq!(received, "SERVER_ERROR\r\n");
    });
}

#[test]
fn dropping_a_reactor_with_everything_outstanding_is_clean() {
    super::accept::in_child("close::dropping_child");
}

#[test]
#[ignore = "run in a process of its own by dropping_a_reactor_with_everything_outstanding_is_clean"]
fn dropping_child() {
    let before = descriptor_count();
    for _ in 0..50 {
        let listener = listen();
        let mut reactor = reactor(&small());
        reactor.accept(&shared(&listener), Token(0));
        let (mut own, mut peer) = opened(&mut reactor, &listen(), 1);
        let (closing, _closing_peer) = opened(&mut reactor, &listen(), 2);
        peer.write_all(b"never read").unwrap();
        reactor.recv(&own);
        reactor.send(&mut own, Outgoing::from(vec![3; 16 << 20]));
        let _unaccepted = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        poll(&mut reactor);
        let _late = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        reactor.close(closing);
        drop(reactor);
    }
    // The kernel lets go of a closed ring, and of what it referred to, a little later.
    for _ in 0..3000 {
        if descriptor_count() == before {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(descriptor_count(), before);
}

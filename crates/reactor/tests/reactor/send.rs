//! Sends: inline, short, blocked, gathered, failing.

use std::io::Read;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use corecached_reactor::{
    Event, Insert, Outgoing, Reactor, ReactorConfig, Stream, Token, WhenIdle,
};
use socket2::SockRef;

use super::common::{
    Random, hang_up, listen, opened, pattern, poll, reactor, run_until, small, within,
};

/// Reads everything, slowly and in odd pieces.
fn slow_reader(mut peer: TcpStream, seed: u64) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut random = Random(seed);
        let (mut all, mut piece) = (Vec::new(), vec![0; 8192]);
        loop {
            if random.below(4) == 0 {
                std::thread::sleep(Duration::from_micros(random.below(500)));
            }
            let want = 1 + random.below(8192) as usize;
            match peer.read(&mut piece[..want]).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&piece[..count]),
            }
        }
    })
}

/// A connection whose sender buffers as little as the kernel allows, and whose receiver not much more.
fn tight_connection(listener: &std::net::TcpListener) -> (OwnedFd, TcpStream) {
    SockRef::from(listener)
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    SockRef::from(&peer)
        .set_recv_buffer_size(16 * 1024)
        .unwrap();
    let (own, _) = listener.accept().unwrap();
    SockRef::from(&own.as_fd())
        .set_send_buffer_size(4096)
        .unwrap();
    (own.into(), peer)
}

fn wait_for_done(reactor: &mut Reactor, token: Token) -> Vec<Insert> {
    let mut returned = Vec::new();
    run_until(reactor, |_, event| match event {
        Event::SendDone {
            token: done,
            inserts,
            ..
        } => {
            assert_eq!(done, token);
            returned = inserts;
            true
        }
        Event::SendBlocked { .. } | Event::WindowEnded { .. } => false,
        other => panic!("{other:?}"),
    });
    returned
}

#[test]
fn a_send_that_fits_is_done_after_one_turn_and_its_buffer_is_reused() {
    let mut reactor = reactor(&small());
    let (mut own, mut peer) = opened(&mut reactor, &listen(), 1);
    let mut buffer = reactor.take_buffer();
    buffer.extend_from_slice(b"hello");
    let address = buffer.as_ptr();
    reactor.send(&mut own, Outgoing::from(buffer));
    let events = poll(&mut reactor);
    assert!(events.is_empty(), "{events:?}");
    let again = reactor.take_buffer();
    assert_eq!((again.as_ptr(), again.len()), (address, 0));
    let mut received = [0; 5];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
}

#[test]
fn short_sends_reach_a_slow_reader_exactly() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (own, peer) = tight_connection(&listen());
        let mut own = reactor.open(own, Token(1));
        let reader = slow_reader(peer, 7);
        let mut random = Random(11);
        let (mut expected, mut blocked_count) = (Vec::new(), 0);
        for round in 0..60 {
            let bytes = pattern(round, 1 + random.below(60_000) as usize);
            expected.extend_from_slice(&bytes);
            reactor.send(&mut own, Outgoing::from(bytes));
            let events = poll(&mut reactor);
            let is_blocked = events
                .iter()
                .any(|event| matches!(event, Event::SendBlocked { .. }));
            let is_done = events
                .iter()
                .any(|event| matches!(event, Event::SendDone { .. }));
            if is_blocked && !is_done {
                blocked_count += 1;
                assert!(wait_for_done(&mut reactor, Token(1)).is_empty());
            }
        }
        assert!(
            blocked_count > 10,
            "the reader was not slow enough: blocked {blocked_count} times"
        );
        hang_up(&mut reactor, [own]);
        assert!(reader.join().unwrap() == expected);
        assert_eq!(reactor.connections_known(), 0);
    });
}

#[test]
fn a_full_socket_blocks_a_send_of_which_nothing_fits() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (own, peer) = tight_connection(&listen());
        let twin = own.try_clone().unwrap();
        let mut own = reactor.open(own, Token(1));
        let first = pattern(1, 100_000);
        reactor.send(&mut own, Outgoing::from(first.clone()));
        let events = poll(&mut reactor);
        assert!(
            matches!(
                events[..],
                [Event::SendBlocked {
                    token: Token(1),
                    ..
                }]
            ),
            "{events:?}"
        );
        // This connection is the same socket under another name: its first attempt finds no room at all (EAGAIN).
        let mut twin = reactor.open(twin, Token(2));
        reactor.send(&mut twin, Outgoing::from(b"end".to_vec()));
        let events = poll(&mut reactor);
        assert!(
            matches!(
                events[..],
                [Event::SendBlocked {
                    token: Token(2),
                    ..
                }]
            ),
            "{events:?}"
        );
        let reader = slow_reader(peer, 3);
        let mut done = 0;
        run_until(&mut reactor, |_, event| {
            done += usize::from(matches!(event, Event::SendDone { .. }));
            done == 2
        });
        hang_up(&mut reactor, [own, twin]);
        let received = reader.join().unwrap();
        assert_eq!(received.len(), first.len() + 3);
    });
}

/// Interleaves `count` inserts of `insert_bytes` each with one byte of the buffer.
fn gathered(value: &[u8], count: usize, insert_bytes: usize) -> (Outgoing, Vec<u8>) {
    let bytes = pattern(99, count);
    let mut expected = Vec::new();
    let mut inserts = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let piece = &value[at..at + insert_bytes];
        // SAFETY: the tests keep the value until their inserts have come back.
        inserts.push(unsafe { Insert::whole(at, piece.as_ptr(), insert_bytes, at as u64) });
        expected.extend_from_slice(piece);
        expected.push(*byte);
    }
    (Outgoing { bytes, inserts }, expected)
}

#[test]
fn inserts_go_out_in_place_and_come_back() {
    within(30, || {
        let value = pattern(5, 20_000);
        let cases = [
            (1, 10),
            (3, 5_000),
            (100, 1_000),
            (511, 20),
            (512, 20),
            (513, 20),
            (3_000, 40),
        ];
        for (count, insert_bytes) in cases {
            let mut reactor = reactor(&small());
            let (own, peer) = tight_connection(&listen());
            let mut own = reactor.open(own, Token(1));
            let reader = slow_reader(peer, 5);
            let (outgoing, expected) = gathered(&value, count, insert_bytes);
            reactor.send(&mut own, outgoing);
            let inserts = wait_for_done(&mut reactor, Token(1));
            assert_eq!(inserts.len(), count);
            assert!(
                inserts
                    .iter()
                    .enumerate()
                    .all(|(at, insert)| insert.cookie() == at as u64)
            );
            hang_up(&mut reactor, [own]);
            assert!(
                reader.join().unwrap() == expected,
                "{count} inserts of {insert_bytes}"
            );
        }
    });
}

#[test]
fn more_sends_than_the_queue_holds_with_some_blocked() {
    within(60, || {
        let config = ReactorConfig {
            entries: 4,
            completion_entries: 8,
            ..small()
        };
        let mut reactor = reactor(&config);
        let listener = listen();
        let connections: Vec<_> = (0..60).map(|_| tight_connection(&listener)).collect();
        let (own, peers): (Vec<_>, Vec<_>) = connections.into_iter().unzip();
        let mut own: Vec<Stream> = (0..)
            .zip(own)
            .map(|(token, fd)| reactor.open(fd, Token(token)))
            .collect();
        let readers: Vec<_> = peers
            .into_iter()
            .map(|peer| slow_reader(peer, 17))
            .collect();
        let mut expected = vec![Vec::new(); own.len()];
        let mut random = Random(23);
        for round in 0..12 {
            for (index, stream) in own.iter_mut().enumerate() {
                let is_large = random.below(3) == 0;
                let len = if is_large { 40_000 } else { 50 };
                let mut bytes = reactor.take_buffer();
                bytes.extend_from_slice(&pattern(index + round, len));
                expected[index].extend_from_slice(&bytes);
                reactor.send(stream, Outgoing::from(bytes));
            }
            finish_round(&mut reactor);
        }
        hang_up(&mut reactor, own);
        for (reader, expected) in readers.into_iter().zip(expected) {
            assert!(reader.join().unwrap() == expected);
        }
    });
}

/// Turns until no send is blocked.
fn finish_round(reactor: &mut Reactor) {
    let (mut events, mut blocked) = (Vec::new(), 0);
    loop {
        let when_idle = match blocked {
            0 => WhenIdle::Return,
            _ => WhenIdle::Sleep,
        };
        reactor.turn(when_idle, &mut events).unwrap();
        for event in events.drain(..) {
            match event {
                Event::SendBlocked { .. } => blocked += 1,
                Event::SendDone { .. } => blocked -= 1,
                Event::WindowEnded { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        if blocked == 0 {
            return;
        }
    }
}

#[test]
fn a_send_to_a_gone_peer_fails_and_returns_the_inserts() {
    within(30, || {
        let mut reactor = reactor(&small());
        let (mut own, peer) = opened(&mut reactor, &listen(), 1);
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(peer);
        std::thread::sleep(Duration::from_millis(20));
        let value = b"value";
        // SAFETY: a constant.
        let insert = unsafe { Insert::whole(1, value.as_ptr(), value.len(), 42) };
        let outgoing = Outgoing {
            bytes: b"ab".to_vec(),
            inserts: vec![insert],
        };
        reactor.send(&mut own, outgoing);
        run_until(&mut reactor, |_, event| match event {
            Event::SendFailed {
                token: Token(1),
                errno,
                inserts,
                ..
            } => {
                assert!(errno == libc::EPIPE || errno == libc::ECONNRESET, "{errno}");
                assert_eq!(inserts[0].cookie(), 42);
                true
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(reactor.connections_known(), 0);
    });
}

#[test]
fn nothing_to_send_is_done_at_once() {
    let mut reactor = reactor(&small());
    // SAFETY: nothing is read.
    let insert = unsafe { Insert::whole(0, std::ptr::dangling(), 0, 1) };
    let outgoing = Outgoing {
        bytes: Vec::new(),
        inserts: vec![insert],
    };
    let listener = listen();
    let (mut first, _peer) = opened(&mut reactor, &listener, 1);
    let (mut second, _peer) = opened(&mut reactor, &listener, 2);
    reactor.send(&mut first, outgoing);
    reactor.send(&mut second, Outgoing::default());
    let mut events = Vec::new();
    reactor.turn(WhenIdle::Sleep, &mut events).unwrap();
    assert!(
        matches!(
            &events[..],
            [Event::SendDone {
                token: Token(1),
                ..
            }]
        ),
        "{events:?}"
    );
}

/// A send of `value` between two bytes.
fn wrapped(value: &[u8]) -> Outgoing {
    // SAFETY: the test keeps the value until its insert has come back.
    let insert = unsafe { Insert::whole(1, value.as_ptr(), value.len(), 7) };
    Outgoing {
        bytes: b"<>".to_vec(),
        inserts: vec![insert],
    }
}

fn ends(events: &[Event], wanted: Token) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::SendDone { token, .. } if *token == wanted))
}

/// Looking at completions fills the submission queue again. Those new entries say nothing about the sends that the
/// kernel has taken before.
#[test]
fn a_send_ends_in_its_turn_whatever_the_turn_starts_again() {
    let mut reactor = reactor(&small());
    let listener = listen();
    let (mut own, _peer) = opened(&mut reactor, &listener, 1);
    let (full, _full_peer) = tight_connection(&listener);
    let mut full = reactor.open(full, Token(2));
    let value = pattern(1, 300);

    // A wake: the waker's pipe is read again.
    reactor.waker().wake();
    reactor.send(&mut own, wrapped(&value));
    let events = poll(&mut reactor);
    assert!(events.iter().any(|event| matches!(event, Event::Wake)));
    assert!(ends(&events, Token(1)), "{events:?}");

    // A send that does not fit: its rest is sent again.
    reactor.send(&mut full, vec![1; 1 << 20].into());
    reactor.send(&mut own, wrapped(&value));
    let events = poll(&mut reactor);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::SendBlocked { .. }))
    );
    assert!(ends(&events, Token(1)), "{events:?}");
}

/// The fault that followed: the late end of a first send was taken for the end of the second send, and a third send
/// went into the middle of the second.
#[test]
fn a_late_end_does_not_let_a_send_into_the_middle_of_another() {
    within(30, || {
        let mut reactor = reactor(&small());
        let listener = listen();
        let (own, peer) = tight_connection(&listener);
        let mut own = reactor.open(own, Token(1));
        let value = pattern(2, 4_000);
        let (long, long_expected) = gathered(&value, 90, 10);
        let (longer, longer_expected) = gathered(&value, 3_000, 40);
        let mut expected = long_expected;
        expected.extend(longer_expected);
        expected.extend_from_slice(b"<last>");

        reactor.waker().wake();
        reactor.send(&mut own, long);
        let events = poll(&mut reactor);
        assert!(ends(&events, Token(1)), "{events:?}");
        reactor.send(&mut own, longer);
        let reader = slow_reader(peer, 9);
        wait_for_done(&mut reactor, Token(1));
        reactor.send(&mut own, b"<last>".to_vec().into());
        finish_round(&mut reactor);
        hang_up(&mut reactor, [own]);
        assert!(reader.join().unwrap() == expected);
    });
}

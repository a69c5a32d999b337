//! Sends that the kernel has not taken in their turn: they are not done, and must not be taken for done.

use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::common::{
    connection, ends_within, hang_up, in_runtime, listen, opened, pattern, poll, reactor, shared,
    small, within,
};
use crate::operation::Completion;
use crate::tests::faults::{Fault, inject};
use crate::user_data::UserData;
use crate::{
    DoorbellTarget, Event, Outgoing, Reactor, ReactorConfig, SendId, Token, WhenIdle, Window,
};

/// The events of sends, one letter each: `B`locked, `D`one, `F`ailed.
fn said(events: &[Event]) -> Vec<(char, SendId)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::SendBlocked { send, .. } => Some(('B', *send)),
            Event::SendDone { send, .. } => Some(('D', *send)),
            Event::SendFailed { send, .. } => Some(('F', *send)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_send_that_was_not_submitted_is_under_way_until_it_is() {
    for fault in [
        Fault::Takes(0),
        Fault::Fails(libc::EAGAIN),
        Fault::Fails(libc::EBUSY),
        Fault::Fails(libc::ENOMEM),
        Fault::Fails(libc::EINTR),
    ] {
        let mut reactor = reactor(&small());
        let (mut own, mut peer) = opened(&mut reactor, &listen(), 1);
        let send = reactor.send(&mut own, b"one".to_vec().into());
        inject(&[fault, fault]);
        assert_eq!(said(&poll(&mut reactor)), [('B', send)], "{fault:?}");
        assert_eq!(said(&poll(&mut reactor)), [], "told once");
        assert_eq!(said(&poll(&mut reactor)), [('D', send)], "{fault:?}");
        let send = reactor.send(&mut own, b"two".to_vec().into());
        assert_eq!(said(&poll(&mut reactor)), [], "{send:?} is done");
        hang_up(&mut reactor, [own]);
        let mut received = String::new();
        peer.read_to_string(&mut received).unwrap();
        assert_eq!(received, "onetwo");
    }
}

/// Some are taken and some are not: which is only known when all are.
#[test]
fn a_turn_that_submits_a_part_ends_nothing() {
    let mut reactor = reactor(&small());
    let listener = listen();
    let (mut streams, mut peers): (Vec<_>, Vec<_>) = (0..5)
        .map(|token| opened(&mut reactor, &listener, token))
        .unzip();
    poll(&mut reactor);
    let sends: Vec<SendId> = streams
        .iter_mut()
        .map(|stream| reactor.send(stream, pattern(3, 100).into()))
        .collect();
    inject(&[Fault::Takes(3)]);
    let told: Vec<_> = sends.iter().map(|send| ('B', *send)).collect();
    assert_eq!(said(&poll(&mut reactor)), told);
    let done: Vec<_> = sends.iter().map(|send| ('D', *send)).collect();
    assert_eq!(said(&poll(&mut reactor)), done);
    for peer in &mut peers {
        let mut received = [0; 100];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received[..], pattern(3, 100));
    }
}

/// A queue that is full is flushed in the middle of a tick. If that fails, too, entries wait outside the queue, in
/// order.
#[test]
fn what_does_not_fit_the_queue_is_under_way_as_well() {
    let mut reactor = reactor(&small());
    let listener = listen();
    let entries = small().entries as usize;
    let (mut streams, mut peers): (Vec<_>, Vec<_>) = (0..3 * entries as u64)
        .map(|token| opened(&mut reactor, &listener, token))
        .unzip();
    poll(&mut reactor);
    // There is one call for each entry that finds the queue full, and the calls of the turn.
    inject(&[Fault::Fails(libc::EAGAIN); 4]);
    for stream in &mut streams {
        reactor.send(stream, b"x".to_vec().into());
    }
    let (mut blocked, mut done) = (0, 0);
    for _ in 0..10 {
        for (what, _) in said(&poll(&mut reactor)) {
            blocked += usize::from(what == 'B');
            done += usize::from(what == 'D');
        }
    }
    assert!(blocked > 0);
    assert_eq!(blocked, done);
    for peer in &mut peers {
        peer.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn what_is_under_way_can_be_closed() {
    let mut reactor = reactor(&small());
    let (mut own, mut peer) = opened(&mut reactor, &listen(), 1);
    reactor.send(&mut own, b"last words".to_vec().into());
    inject(&[Fault::Takes(0)]);
    assert_eq!(said(&poll(&mut reactor)).len(), 1);
    reactor.close(own);
    poll(&mut reactor);
    let mut received = String::new();
    peer.read_to_string(&mut received).unwrap();
    assert_eq!(received, "last words");
    assert_eq!(reactor.connections_known(), 0);
}

#[test]
#[should_panic(expected = "one send under way at most")]
fn a_second_send_before_the_turn_is_a_fault() {
    let mut reactor = reactor(&small());
    let (mut own, _peer) = opened(&mut reactor, &listen(), 1);
    reactor.send(&mut own, b"one".to_vec().into());
    reactor.send(&mut own, b"two".to_vec().into());
}

#[test]
#[should_panic(expected = "one send under way at most")]
fn a_second_send_while_the_first_is_not_submitted_is_a_fault() {
    let mut reactor = reactor(&small());
    let (mut own, _peer) = opened(&mut reactor, &listen(), 1);
    reactor.send(&mut own, b"one".to_vec().into());
    inject(&[Fault::Fails(libc::EAGAIN)]);
    poll(&mut reactor);
    reactor.send(&mut own, b"two".to_vec().into());
}

#[test]
#[should_panic(expected = "one send under way at most")]
fn a_second_send_while_the_first_waits_for_room_is_a_fault() {
    let mut reactor = reactor(&small());
    let (mut own, _peer) = opened(&mut reactor, &listen(), 1);
    reactor.send(&mut own, vec![0; 32 << 20].into());
    poll(&mut reactor);
    reactor.send(&mut own, b"two".to_vec().into());
}

#[test]
#[should_panic(expected = "another reactor")]
fn a_stream_belongs_to_one_reactor() {
    let mut other: Reactor = reactor(&small());
    let (mut own, _peer) = opened(&mut other, &listen(), 1);
    reactor(&small()).send(&mut own, Outgoing::default());
}

/// A stream that is dropped instead of closed keeps its descriptor, which the kernel may still be given.
#[test]
fn a_dropped_stream_stays_open_as_long_as_its_reactor() {
    let mut reactor = reactor(&small());
    let (own, mut peer) = connection(&listen());
    let stream = reactor.open(own, Token(1));
    reactor.recv(&stream);
    drop(stream);
    poll(&mut reactor);
    peer.set_nonblocking(true).unwrap();
    assert!(peer.read(&mut [0]).is_err(), "it is open");
    peer.set_nonblocking(false).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    drop(reactor);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0, "it is closed");
}

/// Replies by UDP follow the same rule: what the kernel has taken is no longer counted, whatever the turn starts again,
/// and what it has not taken still is, and keeps its buffer.
#[test]
fn datagrams_are_out_when_the_kernel_has_taken_them() {
    let mut reactor = reactor(&ReactorConfig {
        datagram_bytes_max: 1000,
        ..small()
    });
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    reactor.recv_datagrams(&shared(&server), Token(9)).unwrap();
    client.send(b"?").unwrap();
    let mut peer = None;
    while peer.is_none() {
        for event in poll(&mut reactor) {
            if let Event::Datagram { buf, .. } = event {
                peer = reactor.datagram(&buf).map(|(peer, _)| peer);
                reactor.recycle_datagram(buf);
            }
        }
    }
    let peer = peer.unwrap();

    reactor.waker().wake();
    assert!(reactor.send_datagrams(Token(9), &peer, vec![1; 600], 1400));
    let events = poll(&mut reactor);
    assert!(events.iter().any(|event| matches!(event, Event::Wake)));
    assert!(reactor.send_datagrams(Token(9), &peer, vec![2; 600], 1400));

    inject(&[Fault::Takes(0)]);
    poll(&mut reactor);
    assert!(!reactor.send_datagrams(Token(9), &peer, vec![3; 600], 1400));
    poll(&mut reactor);
    assert!(reactor.send_datagrams(Token(9), &peer, vec![4; 600], 1400));
    poll(&mut reactor);
    for expected in [1, 2, 4] {
        let mut received = [0; 700];
        let length = client.recv(&mut received).unwrap();
        assert_eq!(received[..length], [expected; 600]);
    }
}

/// Makes a reactor believe that it could not ring a peer, for this reason.
fn ringing_fails(reactor: &mut Reactor, peer: &DoorbellTarget, errno: i32) {
    let failure = Completion {
        user_data: UserData::ring(peer.0.as_raw_fd()),
        result: -errno,
        flags: 0,
    };
    reactor.complete(&failure, &mut Vec::new());
}

/// How often a peer has been rung.
fn rings(peer: &mut Reactor) -> usize {
    let events = poll(peer);
    let rings = events
        .iter()
        .filter(|event| matches!(event, Event::Doorbell));
    rings.count()
}

/// Makes turns until a window has ended, and one more.
fn until_next_window(reactor: &mut Reactor) {
    let mut events = Vec::new();
    while !events
        .iter()
        .any(|event| matches!(event, Event::WindowEnded { .. }))
    {
        reactor.turn(WhenIdle::Return, &mut events).unwrap();
    }
    poll(reactor);
}

/// A reactor whose long windows do not end.
fn patient() -> Reactor {
    let mut patient = reactor(&ReactorConfig {
        short_window: Duration::from_millis(1),
        long_window: Duration::from_secs(3600),
        ..small()
    });
    patient.set_window(Window::Long);
    patient
}

/// A shortage may last: trying again in each turn would be a thread that never sleeps.
#[test]
fn a_doorbell_that_there_was_no_memory_for_is_rung_again_in_the_next_window() {
    let (mut own, mut peer) = (patient(), reactor(&small()));
    let target = peer.doorbell_target();
    own.doorbell(&target);
    poll(&mut own);
    assert_eq!(rings(&mut peer), 1);
    for errno in [libc::ENOMEM, libc::EAGAIN, libc::EOVERFLOW, libc::ENOMEM] {
        ringing_fails(&mut own, &target, errno);
        for _ in 0..100 {
            poll(&mut own);
        }
        assert_eq!(rings(&mut peer), 0, "no window has ended");
    }
    own.set_window(Window::Short);
    until_next_window(&mut own);
    assert_eq!(rings(&mut peer), 1, "once, however often it has failed");
    until_next_window(&mut own);
    assert_eq!(rings(&mut peer), 0, "it has been heard");
    ringing_fails(&mut own, &target, libc::EBADFD);
    until_next_window(&mut own);
    assert_eq!(rings(&mut peer), 0, "the peer is gone");
}

#[test]
fn a_reactor_parks_only_when_all_bells_are_rung() {
    within(60, || {
        in_runtime(|| async {
            let (mut own, mut peer) = (patient(), reactor(&small()));
            let target = peer.doorbell_target();
            ringing_fails(&mut own, &target, libc::ENOMEM);
            own.park().await.unwrap();
            assert_eq!(rings(&mut peer), 0, "it has not tried");
            own.set_window(Window::Short);
            until_next_window(&mut own);
            assert_eq!(rings(&mut peer), 1);
            assert!(!ends_within(Duration::from_millis(20), own.park()).await);
        });
    });
}

//! UDP: datagrams in, replies of one and of many datagrams out, running out of buffers, a full socket.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use corecached_reactor::{Event, ReactorConfig, Token};

use super::common::{poll, reactor, run_until, shared, small};

const SOCKET: Token = Token(7);

fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn client(server: &UdpSocket) -> UdpSocket {
    let ip = server.local_addr().unwrap().ip();
    let client = UdpSocket::bind((ip, 0)).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    client
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let length = client.recv(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

#[test]
fn the_largest_datagram_arrives_with_its_sender() {
    for server in [socket(), UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap()] {
        let mut reactor = reactor(&small());
        let client = client(&server);
        reactor.recv_datagrams(&shared(&server), SOCKET).unwrap();
        assert!(poll(&mut reactor).is_empty());
        for length in [1, 1400, 65_507] {
            let sent: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            client.send(&sent).unwrap();
            run_until(&mut reactor, |reactor, event| match event {
                Event::Datagram { token, buf } => {
                    assert_eq!(token, SOCKET);
                    let (peer, bytes) = reactor.datagram(&buf).unwrap();
                    assert_eq!(peer.address(), Some(client.local_addr().unwrap()));
                    assert_eq!(bytes, sent);
                    reactor.recycle_datagram(buf);
                    true
                }
                _ => false,
            });
        }
    }
}

#[test]
fn a_reply_is_cut_into_datagrams() {
    let mut reactor = reactor(&small());
    let server = socket();
    let client = client(&server);
    reactor.recv_datagrams(&shared(&server), SOCKET).unwrap();
    let reply: Vec<u8> = (0..100_u32).map(|at| at as u8).collect();
    for step in [1, 30, 50, 99, 100, 1000] {
        client.send(b"?").unwrap();
        run_until(&mut reactor, |reactor, event| match event {
            Event::Datagram { buf, .. } => {
                let (peer, _) = reactor.datagram(&buf).unwrap();
                reactor.recycle_datagram(buf);
                assert!(reactor.send_datagrams(SOCKET, &peer, reply.clone(), step));
                true
            }
            _ => false,
        });
        poll(&mut reactor);
        for piece in reply.chunks(step) {
            assert_eq!(receive(&client), piece, "step {step}");
        }
    }
}

#[test]
fn datagrams_wait_in_the_socket_while_there_are_no_buffers() {
    let config = ReactorConfig {
        datagram_buffers: 2,
        ..small()
    };
    let mut reactor = reactor(&config);
    let server = socket();
    let client = client(&server);
    reactor.recv_datagrams(&shared(&server), SOCKET).unwrap();
    for number in 0..20_u8 {
        client.send(&[number]).unwrap();
    }
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    run_until(&mut reactor, |reactor, event| {
        if let Event::Datagram { buf, .. } = event {
            seen.push(reactor.datagram(&buf).unwrap().1[0]);
            kept.push(buf);
        }
        // Both buffers are out before the first comes back.
        if kept.len() == 2 {
            for buf in kept.drain(..) {
                reactor.recycle_datagram(buf);
            }
        }
        seen.len() == 20
    });
    assert_eq!(seen, (0..20).collect::<Vec<u8>>());
}

#[test]
fn replies_beyond_the_limit_are_not_taken() {
    let config = ReactorConfig {
        datagram_bytes_max: 1000,
        ..small()
    };
    let mut reactor = reactor(&config);
    let server = socket();
    let client = client(&server);
    reactor.recv_datagrams(&shared(&server), SOCKET).unwrap();
    client.send(b"?").unwrap();
    let mut peer = None;
    run_until(&mut reactor, |reactor, event| {
        if let Event::Datagram { buf, .. } = event {
            peer = reactor.datagram(&buf).map(|(peer, _)| peer);
            reactor.recycle_datagram(buf);
        }
        peer.is_some()
    });
    let peer = peer.unwrap();
    assert!(reactor.send_datagrams(SOCKET, &peer, vec![1; 600], 1400));
    assert!(!reactor.send_datagrams(SOCKET, &peer, vec![2; 600], 1400));
    assert!(reactor.send_datagrams(SOCKET, &peer, vec![3; 400], 1400));
    poll(&mut reactor);
    // Bytes that were sent are no longer counted.
    assert!(reactor.send_datagrams(SOCKET, &peer, vec![4; 1000], 1400));
    poll(&mut reactor);
    let sizes: Vec<usize> = (0..3).map(|_| receive(&client).len()).collect();
    assert_eq!(sizes, [600, 400, 1000]);
}

#[test]
fn after_a_stop_nothing_comes() {
    let mut reactor = reactor(&small());
    let server = socket();
    let client = client(&server);
    reactor.recv_datagrams(&shared(&server), SOCKET).unwrap();
    poll(&mut reactor);
    reactor.stop_datagrams(SOCKET);
    poll(&mut reactor);
    client.send(b"?").unwrap();
    for _ in 0..3 {
        assert!(poll(&mut reactor).is_empty());
    }
}

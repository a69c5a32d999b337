//! UDP: requests of one datagram, replies of one message whatever its size and wherever its parts come from.

mod sockets;

use std::collections::BTreeMap;

use std::net::{IpAddr, SocketAddr, UdpSocket};

use std::time::Duration;

use corecached_client::wire::binary::{self, Opcode};

use crate::client::{Client, pattern, set_request, written};
use crate::replies::{self, Packet};

use crate::server::{Server, command, free_port};

use crate::watch::field;

/// No reply takes longer, on a busy machine either.
const REPLY_TIMEOUT: Duration = Duration::from_secs(180);

/// Bytes of the frame, and of the reply in each full datagram.
const HEADER: usize = 8;

const PAYLOAD: usize = 1392;

struct Udp {
    socket: UdpSocket,
    next_id: u16,
}

impl Udp {
    fn connect(address: SocketAddr) -> Udp {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => [0; 4].into(),
            SocketAddr::V6(_) => [0_u16; 8].into(),
        };
        let socket = UdpSocket::bind((any, 0)).unwrap();
        socket.connect(address).unwrap();
        socket.set_read_timeout(Some(REPLY_TIMEOUT)).unwrap();
        Udp {
            socket,
            next_id: 0xfffe,
        }
    }

    /// The server's port.
    fn port(&self) -> u16 {
        self.socket.peer_addr().unwrap().port()
    }

    fn send(&mut self, request: impl AsRef<[u8]>) -> u16 {
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id.to_be_bytes();
        self.send_framed([id[0], id[1], 0, 0, 0, 1, 0, 0], request);
        self.next_id
    }

    fn send_framed(&self, header: [u8; 8], request: impl AsRef<[u8]>) {
        let datagram = [&header[..], request.as_ref()].concat();
        let sent = self.socket.send(&datagram).unwrap();
        assert_eq!(sent, datagram.len());
    }

    /// The next message, which must be a whole one in order, with its id.
    fn message(&self) -> (u16, Vec<u8>) {
        let mut pieces = BTreeMap::new();
        let mut first = None;
        loop {
            let mut datagram = [0; 2000];
            let length = self.socket.recv(&mut datagram).expect("a reply in time");
            assert!((HEADER + 1..=1400).contains(&length), "{length} bytes");
            let word = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
            let (id, number, total) = (word(0), word(2), word(4));
            assert_eq!(word(6), 0, "the reserved word");
            assert_eq!(*first.get_or_insert((id, total)), (id, total));
            assert!(number < total && (number + 1 == total || length == 1400));
            let fresh = pieces.insert(number, datagram[HEADER..length].to_vec());
            assert!(fresh.is_none(), "datagram {number} twice");
            if pieces.len() == usize::from(total) {
                return (id, pieces.into_values().flatten().collect());
            }
        }
    }

    /// The next message, which must be one packet, with its id.
    fn packet(&self) -> (u16, Packet) {
        let (id, reply) = self.message();
        let mut rest = &reply[..];
        let packet = replies::packet(&mut rest);
        assert_eq!(rest, b"", "behind the packet");
        (id, packet)
    }

    fn ask(&mut self, request: impl AsRef<[u8]>) -> String {
        let id = self.send(request);
        let (replied, reply) = self.message();
        assert_eq!(replied, id, "the reply to another request");
        String::from_utf8(reply).unwrap()
    }
}

/// A server with UDP, and a client.
fn start(shards: usize, options: &[&str]) -> (Server, Udp) {
    let port = free_port();
    let text = port.to_string();
    let server = Server::start(shards, &[&["-U", &text][..], options].concat());
    let udp = Udp::connect(([127, 0, 0, 1], port).into());
    (server, udp)
}

#[test]
fn classic_commands_are_answered() {
    for shards in [1, 4] {
        let (_server, mut udp) = start(shards, &[]);
        for key in ["a", "b", "c", "d", "e"] {
            assert_eq!(udp.ask(set_request(key, b"value")), "STORED\r\n");
            let hit = format!("VALUE {key} 0 5\r\nvalue\r\nEND\r\n");
            assert_eq!(udp.ask(format!("get {key}\r\n")), hit);
            assert_eq!(udp.ask(format!("delete {key}\r\n")), "DELETED\r\n");
            assert_eq!(udp.ask(format!("get {key}\r\n")), "END\r\n");
            assert_eq!(udp.ask(format!("incr {key} 1\r\n")), "NOT_FOUND\r\n");
        }
        assert_eq!(udp.ask("no such command\r\n"), "ERROR\r\n");
    }
}

#[test]
fn what_wants_no_answer_gets_none() {
    for shards in [1, 4] {
        let (_server, mut udp) = start(shards, &[]);
        for key in ["a", "b", "c", "d"] {
            udp.send(format!("set {key} 0 0 1 noreply\r\n1\r\n"));
            udp.send(format!("incr {key} 1 noreply\r\n"));
        }
        // Half a value, half a line, nothing: none of it is answered.
        udp.send("set x 0 0 10\r\n123");
        udp.send("get x");
        udp.send("");
        // Parts of longer requests are dropped.
        udp.send_framed([0, 1, 0, 0, 0, 2, 0, 0], "get a\r\n");
        udp.send_framed([0, 2, 0, 1, 1, 1, 0, 0], "get a\r\n");
        udp.send_framed([0, 3, 0, 0, 0, 0, 0, 0], "get a\r\n");
        udp.socket.send(b"get a\r\n").unwrap();
        udp.socket.send(b"").unwrap();
        // The number of the datagram and the reserved word are not looked at.
        udp.send_framed([0x12, 0x34, 0, 9, 0, 1, 7, 7], "get d\r\n");
        let (id, reply) = udp.message();
        assert_eq!(
            (id, &reply[..]),
            (0x1234, &b"VALUE d 0 1\r\n2\r\nEND\r\n"[..])
        );
    }
}

#[test]
fn large_replies_are_cut() {
    for shards in [1, 4] {
        let (server, mut udp) = start(shards, &[]);
        let mut client = server.connect();
        // Around the edges of datagrams, above 16 KiB, where values are not copied, and well above.
        let overhead = "VALUE key 0 1000\r\n\r\nEND\r\n".len();
        let edges =
            (1..=2).flat_map(|n| (n * PAYLOAD - overhead - 2)..(n * PAYLOAD - overhead + 3));
        for length in edges.chain([16_383, 16_384, 20_000, 100_000]) {
            let data = pattern(length as u64, length);
            for key in ["key", "other"] {
                assert_eq!(client.set(key, &data), "STORED");
                let reply = udp.ask(format!("get {key}\r\n"));
                let head = format!("VALUE {key} 0 {length}\r\n");
                let rest = reply.strip_prefix(&head).expect("the head");
                let value = rest.strip_suffix("\r\nEND\r\n").expect("the end");
                assert!(
                    value.as_bytes() == data,
                    "{length} bytes arrive as they were"
                );
            }
        }
    }
}

#[test]
fn large_requests_fit_one_datagram() {
    let (server, mut udp) = start(2, &[]);
    let mut client = server.connect();
    for length in [1400, 9000, 40_000, 65_400] {
        let data = pattern(length as u64, length);
        assert_eq!(udp.ask(set_request("large", &data)), "STORED\r\n");
        assert!(client.get("large").unwrap() == data);
    }
}

#[test]
fn a_multi_get_is_one_message_in_request_order() {
    for shards in [1, 4] {
        let (server, mut udp) = start(shards, &[]);
        if server.is_old_memcached {
            return;
        }
        let mut client = server.connect();
        let keys: Vec<String> = (0..60).map(|n| format!("key{n}")).collect();
        for (number, key) in keys.iter().enumerate() {
            client.set(key, pattern(number as u64, 100 * (number % 3)));
        }
        let hits = |names: &[String]| {
            let hits = names.iter().enumerate().map(|(number, key)| {
                let data = pattern(number as u64, 100 * (number % 3));
                let data = String::from_utf8(data).unwrap();
                format!("VALUE {key} 0 {}\r\n{data}\r\n", data.len())
            });
            hits.collect::<String>() + "END\r\n"
        };
        for count in [2, 3, 10, 60] {
            let request = format!("get {} miss\r\n", keys[..count].join(" "));
            assert_eq!(udp.ask(request), hits(&keys[..count]), "{count} keys");
        }
    }
}

#[test]
fn one_datagram_may_hold_many_commands() {
    for shards in [1, 4] {
        // Far more than -R allows in one turn.
        let (server, mut udp) = start(shards, &["-R", "5"]);
        if server.is_old_memcached {
            return;
        }
        let sets: String = (0..100)
            .map(|n| format!("set k{n} 0 0 2\r\n{n:02}\r\n"))
            .collect();
        assert_eq!(udp.ask(sets), "STORED\r\n".repeat(100));
        let gets: String = (0..100).map(|n| format!("get k{n}\r\n")).collect();
        let hits: String = (0..100)
            .map(|n| format!("VALUE k{n} 0 2\r\n{n:02}\r\nEND\r\n"))
            .collect();
        assert_eq!(udp.ask(gets), hits);
        // What follows quit is not run; what went before is answered.
        let first = &hits[..hits.len() / 100];
        assert_eq!(udp.ask("get k0\r\nquit\r\nget k2\r\n"), first);
        // A broadcast comes in its place.
        let reply = udp.ask("get k0\r\nflush_all\r\nget k0\r\nversion\r\n");
        assert_eq!(reply, format!("{}OK\r\nEND\r\nVERSION 1.6.45\r\n", first));
    }
}

#[test]
fn many_clients_get_their_own_replies() {
    let (_server, udp) = start(4, &[]);
    let port = udp.port();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let mut udp = Udp::connect(([127, 0, 0, 1], port).into());
                for round in 0..100 {
                    let (key, data) = (format!("key{number}.{round}"), format!("{number}/{round}"));
                    assert_eq!(udp.ask(set_request(&key, data.as_bytes())), "STORED\r\n");
                    let hit = format!("VALUE {key} 0 {}\r\n{data}\r\nEND\r\n", data.len());
                    assert_eq!(udp.ask(format!("get {key}\r\n")), hit);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn replies_that_would_fill_memory_are_refused() {
    let (server, mut udp) = start(2, &[]);
    if server.is_old_memcached {
        return;
    }
    let mut client = server.connect();
    client.set("k", pattern(1, 10_000));
    let before = server.resident_bytes();
    // 30,000 keys of 10,000 bytes.
    let request = format!("get{}\r\n", " k".repeat(30_000));
    for _ in 0..5 {
        assert_eq!(
            udp.ask(&request),
            "SERVER_ERROR reply too large for UDP\r\n"
        );
    }
    assert!(server.resident_bytes() < before + (64 << 20));
    assert_eq!(udp.ask("get miss\r\n"), "END\r\n");
}

#[test]
fn each_datagram_chooses_its_protocol() {
    const OPAQUE: u32 = 0x0102_0304;
    let set = |key: &str| {
        written(|out| binary::store(out, Opcode::Set, OPAQUE, key, (0, 0, 0), b"value"))
    };
    for shards in [1, 4] {
        let (_server, mut udp) = start(shards, &[]);
        for key in ["a", "b", "c", "d"] {
            udp.send(set(key));
            let (_, reply) = udp.packet();
            assert_eq!((reply.opcode, reply.status), (Opcode::Set as u8, 0));
            assert_eq!((reply.extras, reply.key, reply.value), Default::default());
            let hit = format!("VALUE {key} 0 5\r\nvalue\r\nEND\r\n");
            assert_eq!(udp.ask(format!("get {key}\r\n")), hit);
            // A quiet miss is silent; the NOOP behind it answers.
            let quiet_miss = written(|out| binary::keyed(out, Opcode::GetQ, OPAQUE, b"miss", 0));
            let noop = written(|out| binary::bare(out, Opcode::Noop, OPAQUE));
            udp.send([&quiet_miss[..], &noop].concat());
            let (_, reply) = udp.packet();
            assert_eq!(reply.opcode, Opcode::Noop as u8);
            assert_eq!((reply.extras, reply.key, reply.value), Default::default());
            udp.send(quiet_miss);
            udp.send(written(|out| {
                binary::keyed(out, Opcode::Get, OPAQUE, key, 0);
            }));
            let (id, reply) = udp.packet();
            assert_eq!(id, udp.next_id);
            assert_eq!((reply.extras.len(), &reply.key[..]), (4, &b""[..]));
            assert_eq!(reply.value, b"value");
        }
        // Half a packet is not answered, and does not hurt.
        udp.send(&set("half")[..30]);
        assert_eq!(udp.ask("get half\r\n"), "END\r\n");
    }
}

/// Lines of watchers name the socket that the datagram came by, not the connection that was served before it.
#[test]
fn watchers_see_which_socket_asked() {
    for shards in [1, 4] {
        let (server, mut udp) = start(shards, &[]);
        let mut client = server.connect();
        let sockets: Vec<String> = client
            .stats("conns")
            .keys()
            .filter_map(|name| Some(name.strip_suffix(":UDP")?.to_owned()))
            .collect();
        let mut watcher = server.connect();
        assert_eq!(watcher.ask("watch fetchers mutations"), "OK");
        let mut descriptor = |key: &str| {
            let line = watcher.log_line();
            assert_eq!(field(&line, "key"), key);
            field(&line, "cfd").to_owned()
        };
        let mut connection = None;
        for number in 0..30 {
            // Keys of all shards: those of others come to them by loan or by message.
            let (by_tcp, by_udp) = (format!("t{number}"), format!("u{number}"));
            client.set(&by_tcp, "x");
            assert_eq!(udp.ask(set_request(&by_udp, b"x")), "STORED\r\n");
            assert!(client.get(&by_tcp).is_some());
            assert!(udp.ask(format!("get {by_udp}\r\n")).starts_with("VALUE"));
            for key in [&by_tcp, &by_tcp, &by_udp, &by_udp, &by_tcp, &by_udp] {
                let shown = descriptor(key);
                if *key == by_udp {
                    assert!(sockets.contains(&shown), "{key}: {shown} of {sockets:?}");
                } else {
                    assert_eq!(*connection.get_or_insert(shown.clone()), shown);
                    assert!(!sockets.contains(&shown), "{key}: {shown}");
                }
            }
        }
    }
}

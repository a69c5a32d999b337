//! Addresses of `-l` with facts of their own, which connections keep on whatever shard they end up.

use corecached_client::wire::binary::{self, Opcode};

use crate::client::{Client, written};
use crate::server::{Server, free_port};

/// A text command of this server's first bytes; binary connections close on it.
const TEXT: &[u8] = b"version\r\n";

/// A binary VERSION: no byte of it ends a line.
fn binary_version() -> Vec<u8> {
    written(|out| binary::bare(out, Opcode::Version, 0))
}

fn at(port: u16) -> Client {
    Client::connect(([127, 0, 0, 1], port).into())
}

#[test]
fn each_address_has_its_own_protocol() {
    let (ascii, binary) = (free_port(), free_port());
    let addresses =
        format!("proto[ascii]:tag[front]:127.0.0.1:{ascii};notls:proto[binary]:127.0.0.1:{binary}");
    // More connections than shards, so that some are handed over to the shard that has fewest.
    let server = Server::start(4, &["-l", &addresses]);
    if server.is_old_memcached {
        return;
    }
    for _ in 0..16 {
        let mut client = at(ascii);
        client.send(binary_version());
        client.send("\r\n");
        assert_eq!(client.line(), "ERROR");
        assert_eq!(client.ask("version"), "VERSION 1.6.45");

        let mut client = at(binary);
        client.send(TEXT);
        assert_eq!(client.byte().unwrap(), None, "text on a binary address");
    }
    // The address without any prefix takes what comes.
    assert_eq!(server.connect().ask("version"), "VERSION 1.6.45");
}

#[test]
fn the_protocol_of_all_addresses_can_be_set() {
    let server = Server::start(2, &["-B", "ascii"]);
    let mut client = server.connect();
    assert_eq!(client.stats("settings")["binding_protocol"], "ascii");
    client.send(binary_version());
    client.send("\r\n");
    assert_eq!(client.line(), "ERROR");
}

#[test]
fn connections_tell_where_they_came_in() {
    let (other, v6) = (free_port(), free_port());
    let addresses = format!("127.0.0.2:{other},[::1]:{v6}");
    let server = Server::start(3, &["-l", &addresses]);
    let mut clients: Vec<Client> = (0..6)
        .map(|_| Client::connect(([127, 0, 0, 2], other).into()))
        .collect();
    // The answers show that the shards have them.
    for client in &mut clients {
        client.ask("version");
    }
    let mut v6_client = Client::connect((std::net::Ipv6Addr::LOCALHOST, v6).into());
    let conns = v6_client.stats("conns");
    let of = |name: &str, wanted: &str| {
        let named = conns.iter().filter(|(key, _)| key.ends_with(name));
        named.filter(|(_, value)| *value == wanted).count()
    };
    let first = server.address();
    let second = format!("tcp:127.0.0.2:{other}");
    let third = format!("tcp6:[::1]:{v6}");
    assert_eq!(of(":listen_addr", &second), clients.len(), "{conns:?}");
    assert_eq!(of(":listen_addr", &third), 1, "{conns:?}");
    for listener in [&format!("tcp:{first}"), &second, &third] {
        assert_eq!(of(":addr", listener), 1, "{listener}: {conns:?}");
    }
    assert_eq!(of(":state", "conn_listening"), 3);
}

//! `-o shard_port`: the client's source port modulo the number of shards is the shard of its connection.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};

use crate::server::{Server, free_port};

const SHARDS: u16 = 4;
const CONNECTIONS_PER_SHARD: u16 = 5;

/// A connection to `port` from a source port that is `shard` modulo [`SHARDS`].
pub(crate) fn connect_to_shard(port: u16, shard: u16) -> TcpStream {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for source in (20_000 + shard..30_000).step_by(usize::from(SHARDS)) {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, source));
        if bind(&socket, &from).is_ok() && connect(&socket, &to).is_ok() {
            return TcpStream::from(socket);
        }
    }
    panic!("no free source port");
}

fn ask_version(mut stream: &TcpStream) {
    stream.write_all(b"version\r\n").unwrap();
    let mut reply = [0; 16];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"VERSION 1.6.45\r\n");
}

#[test]
fn the_source_port_chooses_the_shard() {
    let port = free_port();
    let server = Server::start(usize::from(SHARDS), &["-o", &format!("shard_port={port}")]);
    let mut client = server.connect();
    let stats = client.stats("shards");
    assert_eq!(stats["shard_port"], port.to_string());
    assert_eq!(stats["hash"], "xxh3_64");
    // Until the connection that waited for the server's start is gone, too.
    let before: Vec<u64> = loop {
        let stats = client.stats("shards");
        let counts = (0..SHARDS).map(|shard| connections(&stats, shard));
        let counts: Vec<u64> = counts.collect();
        if counts.iter().sum::<u64>() == 1 {
            break counts;
        }
    };
    for shard in 0..SHARDS {
        let open: Vec<TcpStream> = (0..CONNECTIONS_PER_SHARD)
            .map(|_| connect_to_shard(port, shard))
            .collect();
        // The server has them once each has had an answer.
        for stream in &open {
            ask_version(stream);
        }
        let stats = client.stats("shards");
        for other in 0..SHARDS {
            let expected = if other == shard {
                u64::from(CONNECTIONS_PER_SHARD)
            } else {
                0
            };
            let more = connections(&stats, other) - before[usize::from(other)];
            assert_eq!(more, expected, "shard {other}, asked for {shard}");
        }
        drop(open);
        while connections(&client.stats("shards"), shard) != before[usize::from(shard)] {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn connections(stats: &std::collections::BTreeMap<String, String>, shard: u16) -> u64 {
    stats[&format!("{shard}:curr_connections")].parse().unwrap()
}

/// With the seed anybody can make keys that collide: it is for those who need it to find their shard.
#[test]
fn the_seed_is_told_only_where_clients_choose_their_shard() {
    let server = Server::start(2, &[]);
    let stats = server.connect().stats("shards");
    assert_eq!(stats["shard_port"], "0");
    assert!(!stats.contains_key("hash_seed"));
    let server = Server::start_with_seed(2, &[]);
    let stats = server.connect().stats("shards");
    assert!(stats["hash_seed"].parse::<u64>().is_ok());
}

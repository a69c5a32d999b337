//! A server and the way to it.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::replies;
use crate::server::Server;
use crate::tls::Encrypted;
use crate::unix_socket;

/// No reply takes longer, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a tight connection receives ahead.
const TIGHT_BYTES: usize = 128 * 1024;

/// A connection.
pub(super) trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// A running server with the address that the clients use.
pub(super) enum Link {
    Tcp(Server),
    Tls(Box<Encrypted>),
    Unix(unix_socket::Server),
}

/// How to get to it.
#[derive(Clone)]
pub(super) enum Transport {
    Tcp,
    Tls,
    Unix,
}

/// All of them.
pub(super) const TRANSPORTS: [Transport; 3] = [Transport::Tcp, Transport::Tls, Transport::Unix];

/// Values of 1 MiB are allowed, there is room for all, and no reply has a cas unique.
const OPTIONS: [&str; 5] = ["-m", "512", "-I", "2m", "-C"];

impl Link {
    /// Starts a server. `name` is one of this test alone.
    pub(super) fn start(transport: &Transport, shards: usize, name: &str) -> Link {
        match transport {
            Transport::Tcp => Link::Tcp(Server::start(shards, &OPTIONS)),
            Transport::Tls => Link::Tls(Box::new(Encrypted::start(shards, &OPTIONS))),
            Transport::Unix => {
                let shards = shards.to_string();
                let options = [&OPTIONS[..], &["-t", &shards]].concat();
                Link::Unix(unix_socket::Server::start(name, &options))
            }
        }
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Box<dyn Wire> {
        match self {
            Link::Tcp(server) => Box::new(tcp(server.address())),
            Link::Tls(server) => Box::new(server.connect()),
            Link::Unix(server) => {
                let stream = server.connect();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        }
    }

    /// A new connection whose receiving side holds little, but for more than a packet of the loopback interface: with
    /// less the kernel waits for timers, and the replies take minutes.
    pub(super) fn connect_tight(&self) -> Box<dyn Wire> {
        match self {
            Link::Tcp(server) => {
                let stream = tcp(server.address());
                set_socket_recv_buffer_size(stream.as_fd(), TIGHT_BYTES).unwrap();
                Box::new(stream)
            }
            _ => self.connect(),
        }
    }

    /// Connections that were closed because their replies did not add up.
    pub(super) fn streams_in_doubt(&self) -> u64 {
        let mut wire = self.connect();
        wire.write_all(b"stats shards\r\n").unwrap();
        wire.flush().unwrap();
        let stats = replies::stats(&mut BufReader::new(wire));
        let counts = stats
            .iter()
            .filter(|(name, _)| name.ends_with("streams_in_doubt"));
        counts
            .map(|(_, count)| count.parse::<u64>().unwrap())
            .reduce(|sum, count| sum + count)
            .expect("it is reported")
    }
}

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

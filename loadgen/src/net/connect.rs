//! Opening connections, with errors that say what to do.

use super::handshake::{Opened, agree};
use super::server::Server;
use crate::error::{Exit, LoadError, Result};
use crate::target::Endpoint;
use corecached_client::SourcePorts;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How long a server may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Opens one connection, and shakes hands if TLS is spoken.
pub fn connect(server: &Server) -> Result<Opened> {
    let endpoint = &server.endpoint;
    let socket = open(endpoint).map_err(|error| connect_error(endpoint, &error))?;
    agree(server, socket)
}

fn open(endpoint: &Endpoint) -> io::Result<OwnedFd> {
    match endpoint {
        Endpoint::Tcp { address, .. } => {
            let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
            finish_tcp(socket, *address)
        }
        Endpoint::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.connect(&SockAddr::unix(path)?)?;
            Ok(socket.into())
        }
    }
}

fn finish_tcp(socket: Socket, address: SocketAddr) -> io::Result<OwnedFd> {
    socket.connect_timeout(&address.into(), CONNECT_TIMEOUT)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

fn connect_error(endpoint: &Endpoint, error: &io::Error) -> LoadError {
    let advice = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            "is a server running there? give another with --server HOST:PORT".to_owned()
        }
        io::ErrorKind::TimedOut => format!(
            "nothing answered within {CONNECT_TIMEOUT:?}: check the address and the firewall"
        ),
        _ if error.raw_os_error() == Some(libc::EMFILE) => {
            "too few file descriptors: raise ulimit -n or use fewer --connections".to_owned()
        }
        _ => "check the address".to_owned(),
    };
    LoadError::new(
        Exit::NoServer,
        format!("cannot connect to {endpoint}: {error} ({advice})"),
    )
}

/// Opens connections whose source port leads to a shard.
#[derive(Debug)]
pub struct ShardPorts {
    ports: SourcePorts,
}

impl ShardPorts {
    /// Ports for a server of `shards` shards.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self {
            ports: SourcePorts::new(shards),
        }
    }

    /// Opens a connection to `server` whose source port leads to `shard`, and shakes hands if TLS is spoken.
    pub fn connect(&mut self, server: &Server, shard: usize) -> Result<Opened> {
        let endpoint = &server.endpoint;
        let Endpoint::Tcp { address, .. } = endpoint else {
            return Err(LoadError::usage(
                "--shard-aware needs TCP: a Unix socket has no source port",
            ));
        };
        for port in self.ports.of(shard) {
            match connect_from(*address, port) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
                    ) => {}
                Ok(socket) => return agree(server, socket),
                Err(error) => return Err(connect_error(endpoint, &error)),
            }
        }
        Err(LoadError::new(
            Exit::Failed,
            format!(
                "no free source port for shard {shard} in {:?}",
                SourcePorts::RANGE
            ),
        ))
    }
}

fn connect_from(address: SocketAddr, port: u16) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    let source = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    };
    socket.bind(&source.into())?;
    finish_tcp(socket, address)
}

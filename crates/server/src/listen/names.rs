//! Addresses as `stats conns` shows them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use corecached_protocol::event::Peer;
use socket2::{SockAddr, SockRef, Type};

/// The address of a socket's own end, as `stats conns` shows it: `tcp:127.0.0.1:11211`, `tcp6:[::1]:11211`,
/// `unix:/path`.
pub(crate) fn local_address(fd: RawFd) -> String {
    named(fd, |socket| socket.local_addr())
}

/// The address of a connection's other end. The client of a unix socket has none: the path that it connected to is
/// shown.
pub(crate) fn peer_address(fd: RawFd) -> String {
    named(fd, |socket| match socket.peer_addr() {
        Ok(address) if address.is_unix() => socket.local_addr(),
        other => other,
    })
}

/// A connection's other end, in the form that watchers are told.
pub(crate) fn peer(fd: RawFd) -> Peer {
    let address = with_socket(fd, |socket| socket.peer_addr());
    let unknown = Peer {
        address: "unix".to_owned(),
        port: 0,
        transport: "local",
        descriptor: fd,
    };
    match address.and_then(|address| address.as_socket()) {
        Some(address) => Peer {
            address: address.ip().to_string(),
            port: address.port(),
            transport: "tcp",
            ..unknown
        },
        None => unknown,
    }
}

fn with_socket<T>(fd: RawFd, ask: impl FnOnce(SockRef<'_>) -> io::Result<T>) -> Option<T> {
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor is not -1, and it is borrowed for these calls only. The callers' connections own their
    // descriptors; for a closed descriptor the calls fail with EBADF or name another socket, which harms nobody.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    ask(SockRef::from(&borrowed)).ok()
}

fn named(fd: RawFd, address: impl FnOnce(SockRef<'_>) -> io::Result<SockAddr>) -> String {
    let Some(address) = with_socket(fd, address) else {
        return "<unknown>".into();
    };
    let transport = match with_socket(fd, |socket| socket.r#type()) {
        Some(Type::DGRAM) => "udp",
        _ => "tcp",
    };
    match address.as_socket() {
        Some(SocketAddr::V4(address)) => format!("{transport}:{address}"),
        Some(SocketAddr::V6(address)) => format!("{transport}6:{address}"),
        None => match address.as_pathname() {
            Some(path) => format!("unix:{}", path.display()),
            None => "unix:<unnamed>".into(),
        },
    }
}

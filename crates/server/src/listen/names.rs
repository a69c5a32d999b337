//! Addresses as `stats conns` shows them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use socket2::{SockAddr, SockRef};

/// The address of a socket's own end, as `stats conns` shows it: `tcp:127.0.0.1:11211`, `tcp6:[::1]:11211`, `unix:/path`.
pub(crate) fn local_address(fd: RawFd) -> String {
    named(fd, |socket| socket.local_addr())
}

/// The address of a connection's other end. A unix socket's client has none: it is the path that it connected to.
pub(crate) fn peer_address(fd: RawFd) -> String {
    named(fd, |socket| match socket.peer_addr() {
        Ok(address) if address.is_unix() => socket.local_addr(),
        other => other,
    })
}

fn named(fd: RawFd, address: impl FnOnce(SockRef<'_>) -> io::Result<SockAddr>) -> String {
    if fd < 0 {
        return "<unknown>".into();
    }
    // SAFETY: the descriptor is not -1, and it is borrowed for these calls only. The callers' connections own theirs; for
    // one that is closed the calls fail with EBADF or name another socket, which harms nobody.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let Ok(address) = address(SockRef::from(&borrowed)) else {
        return "<unknown>".into();
    };
    match address.as_socket() {
        Some(SocketAddr::V4(address)) => format!("tcp:{address}"),
        Some(SocketAddr::V6(address)) => format!("tcp6:{address}"),
        None => match address.as_pathname() {
            Some(path) => format!("unix:{}", path.display()),
            None => "unix:<unnamed>".into(),
        },
    }
}

//! Sockets that were opened by the process that started the server, as systemd's socket activation does: they take the
//! place of `-l`, `-p`, `-U` and `-s`.
//!
//! ```text
//!   LISTEN_PID=ours, LISTEN_FDS=2
//!
//!     descriptor 3 (TCP 10.0.0.1:11211) --> group 0: each shard has a duplicate; one queue: the first to come accepts
//!     descriptor 4 (/run/c.sock)        --> group 1: like group 0
//! ```
//!
//! The supervisor keeps descriptors of its own, so that the port stays open while the server is restarted, and clients
//! wait meanwhile. For that, the server must not shut such a socket down at its end, but only close it: see `end.rs`.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use socket2::{SockAddr, SockRef, Type};

use crate::base::config::Config;
use crate::base::listeners::ListenAddress;
use crate::error::StartError;
use crate::process::say_warning;

use super::group::{Group, message};
use super::info::{ListenerInfo, Transport};

/// The sockets that were handed over, by descriptor; empty without a supervisor that hands sockets over.
pub(super) fn groups(config: &Config, shards: usize) -> Result<Vec<Group>, StartError> {
    let descriptors = match sd_notify::listen_fds() {
        Ok(descriptors) => descriptors,
        Err(error) => {
            // memcached does not read these variables: whatever they are, it starts.
            say_warning(format_args!(
                "warning: no sockets were handed over ({error}), so it listens where the options say: mend or unset \
                 LISTEN_FDS and LISTEN_PID"
            ));
            return Ok(Vec::new());
        }
    };
    descriptors
        .map(|number| group(config, number, shards))
        .collect()
}

fn group(config: &Config, number: RawFd, shards: usize) -> Result<Group, StartError> {
    let failed = |error: io::Error| {
        message(format!(
            "cannot use descriptor {number}, which was handed over (LISTEN_FDS): {error}"
        ))
    };
    // SAFETY: LISTEN_PID names this process, so the descriptor was opened for it before it began, and was just found to
    // be open. Nothing else here owns it: it is taken once, while there is one thread.
    let first = unsafe { OwnedFd::from_raw_fd(number) };
    let (transport, address) = kind(&first).map_err(failed)?;
    prepare(&first, transport).map_err(failed)?;
    let mut sockets = Vec::with_capacity(shards);
    for _ in 1..shards {
        sockets.push(Arc::new(first.try_clone().map_err(failed)?));
    }
    sockets.insert(0, Arc::new(first));
    let info = match transport {
        Transport::Unix => ListenerInfo::of_unix_socket(config),
        _ => ListenerInfo::of_address(config, &ListenAddress::default(), transport),
    };
    Ok(Group {
        sockets,
        address: address.as_socket(),
        info,
        is_inherited: true,
    })
}

/// Sets the options of this server's own sockets, which accepted connections inherit.
fn prepare(socket: &OwnedFd, transport: Transport) -> io::Result<()> {
    let socket = SockRef::from(socket);
    // In some kernels, a ring cannot wait for the connections of a non-blocking socket.
    socket.set_nonblocking(false)?;
    if transport == Transport::Tcp {
        socket.set_keepalive(true)?;
        socket.set_tcp_nodelay(true)?;
    }
    Ok(())
}

/// The transport and the address of a socket.
fn kind(socket: &OwnedFd) -> io::Result<(Transport, SockAddr)> {
    let socket = SockRef::from(socket);
    let address = socket.local_addr()?;
    let transport = match (socket.r#type()?, address.is_unix()) {
        (Type::STREAM, true) => Transport::Unix,
        (Type::STREAM, false) => Transport::Tcp,
        (Type::DGRAM, false) => Transport::Udp,
        _ => {
            return Err(io::Error::other(
                "it is neither TCP nor UDP nor a unix stream; name such a socket in the unit",
            ));
        }
    };
    if transport != Transport::Udp && !socket.is_listener()? {
        return Err(io::Error::other(
            "it is a connection, not a listening socket; set Accept=no in the unit",
        ));
    }
    Ok((transport, address))
}

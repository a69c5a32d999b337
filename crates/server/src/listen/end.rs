//! The end of the listening sockets: when the process is gone, its ports must be free.
//!
//! ```text
//!   shut     streams are shut down ......... new clients are refused, at once
//!            each shard's ring gives its accepts and receives up, which hold the sockets
//!   close    descriptors are closed ........ the last reference is gone
//!            each port is tried, until it can be had again
//! ```
//!
//! Sockets that a supervisor has handed over stay open there: they are closed here, not shut, and new clients wait for
//! the next server.
//!
//! If a ring is closed with accepts under way, the kernel takes it down some tenths of a second later, when the process
//! is gone already. After SIGKILL this cannot be avoided: until then clients connect and are reset.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use tracing::warn;

use super::{Listeners, Transport};

/// A port is free after this time at the latest, or something else holds it.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(1);

impl Listeners {
    /// The descriptors that take connections.
    pub(crate) fn stream_descriptors(&self) -> Vec<RawFd> {
        self.of_streams().map(AsRawFd::as_raw_fd).collect()
    }

    /// Refuses new connections from now on. Connections in the backlog are reset.
    pub(crate) fn shut(&self) {
        for socket in self.of_streams() {
            // A socket that is shut already is in the right state.
            let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Both);
        }
    }

    /// Closes everything and waits until the ports are free. The shards have ended.
    pub(crate) fn close(self) {
        self.shut();
        let addresses: Vec<(Transport, SocketAddr)> = self
            .groups
            .iter()
            .filter(|group| !group.is_inherited)
            .filter_map(|group| Some((group.info.transport, group.address?)))
            .collect();
        drop(self);
        let begun = Instant::now();
        for (transport, address) in addresses {
            while !is_free(transport, address) {
                if begun.elapsed() > PATIENCE {
                    return warn!(%address, "the port is not free yet");
                }
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Whether another server can have the port. A port that this process may no longer bind is taken as free.
fn is_free(transport: Transport, address: SocketAddr) -> bool {
    let taken = || -> io::Result<()> {
        let kind = match transport {
            Transport::Udp => Type::DGRAM,
            _ => Type::STREAM,
        };
        let socket = Socket::new(Domain::for_address(address), kind, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Connections that are ending do not count, as they do not count at a server's start.
        socket.set_reuse_address(transport != Transport::Udp)?;
        socket.bind(&address.into())
    };
    !taken().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

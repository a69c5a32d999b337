//! Listening sockets: one per shard for each address, so that the kernel spreads connections and datagrams over the
//! shards.
//!
//! ```text
//!   -l 10.0.0.1 -l [::1]:5001 -U 11212 -t 3
//!
//!     number   address               shard 0    shard 1    shard 2
//!        0     TCP 10.0.0.1:11211    socket     socket     socket      SO_REUSEPORT: the kernel chooses by a hash
//!        1     TCP [::1]:5001        socket     socket     socket
//!        2     UDP 10.0.0.1:11212    socket     socket     socket      and one client's datagrams go to one shard
//!        3     UDP [::1]:5001        socket     socket     socket
//!
//!   -s /run/c.sock -t 3
//!
//!        0     /run/c.sock           socket     dup        dup         one queue: the first shard to come accepts
//!
//!   sockets that a supervisor hands over: like the unix socket, see inherited.rs
//! ```
//!
//! With SO_REUSEPORT a second server of the same user could take half of the connections of the first without anybody
//! noticing. So each port is first bound without it, which fails if another process listens there. Between that and the
//! real bind another process could slip in; only a server that is being started at that very moment would.
//!
//! The number is the [`ListenerId`] that a connection keeps for life, also on another shard: with it,
//! `Admission::listener` tells which protocols the connection may speak.

mod end;
mod group;
mod inet;
mod info;
mod inherited;
mod metrics;
mod names;
mod ready;
mod source_port;
mod unix;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use socket2::SockRef;

use crate::base::config::Config;
use crate::error::StartError;
use crate::process;

use group::{Group, message};
pub(crate) use info::{ListenerId, ListenerInfo, Transport};
pub(crate) use metrics::bind_metrics;
pub(crate) use names::{local_address, peer, peer_address};

/// All listening sockets of the server.
#[derive(Debug)]
pub(crate) struct Listeners {
    groups: Vec<Group>,
}

impl Listeners {
    /// The sockets of one shard, each with its number.
    pub(crate) fn of_shard(
        &self,
        shard: usize,
    ) -> impl Iterator<Item = (ListenerId, Arc<OwnedFd>)> {
        let groups = self.groups.iter().enumerate();
        groups.map(move |(number, group)| {
            let id = ListenerId(number as u16);
            (id, Arc::clone(&group.sockets[shard]))
        })
    }

    /// The descriptors of the server's own sockets that take connections.
    fn of_streams(&self) -> impl Iterator<Item = &OwnedFd> {
        let groups = self.groups.iter();
        groups
            .filter(|group| group.info.transport != Transport::Udp && !group.is_inherited)
            .flat_map(|group| &group.sockets)
            .map(Arc::as_ref)
    }

    /// The properties that connections inherit from each address, by number.
    pub(crate) fn infos(&self) -> Vec<ListenerInfo> {
        self.groups.iter().map(|group| group.info.clone()).collect()
    }

    /// The text of the file of MEMCACHED_PORT_FILENAME: a line for each TCP and UDP socket, as memcached writes it.
    pub(crate) fn port_lines(&self) -> String {
        let mut lines = String::new();
        for group in &self.groups {
            let Some(address) = group.address else {
                continue;
            };
            let family = if address.is_ipv4() { "INET" } else { "INET6" };
            let _ = writeln!(
                lines,
                "{} {family}: {}",
                group.info.transport.name(),
                address.port()
            );
        }
        lines
    }
}

/// Makes all sockets and listens on them, `shards` for each address. The unix socket is made with the rights of the
/// user that the process is to become, as in memcached: its directory may belong to that user, and its file has to.
///
/// # Errors
/// If an address is not available; the message names the address and the remedy.
pub(crate) fn bind(config: &Config, shards: usize) -> Result<Listeners, StartError> {
    let inherited = inherited::groups(config, shards)?;
    let groups = match &config.unix_socket {
        _ if !inherited.is_empty() => inherited,
        Some(path) => vec![process::as_user_or_root(config, || {
            unix::group(config, path, shards)
        })?],
        None => inet::groups(config, shards)?,
    };
    if groups.is_empty() {
        process::say_warning(
            "warning: there is nothing to listen on: -p 0 turns TCP off, -U a port turns UDP on, and -s names a unix socket",
        );
    }
    let listeners = Listeners { groups };
    // All sockets are bound: from here on, nothing fails for reasons that the user can mend.
    for socket in listeners.of_streams() {
        SockRef::from(socket)
            .listen(config.backlog)
            .map_err(|error| {
                message(format!(
                    "cannot listen with a backlog of {}: {error}; choose another with -b",
                    config.backlog
                ))
            })?;
    }
    // The sockets have joined their groups in the order of the shards, by which the program's result counts.
    let groups = listeners.groups.iter();
    for group in groups.filter(|group| group.info.by_source_port) {
        source_port::attach(group, shards)
            .map_err(|error| message(format!("-o shard_port: cannot attach a program to the sockets: {error}; leave the option out if a filter denies it")))?;
    }
    Ok(listeners)
}

/// Writes the ports to `file` for the process that started the server. It writes `file.lck` first, so that no half of
/// the file is seen.
pub(crate) fn write_port_file(file: &std::ffi::OsStr, listeners: &Listeners) -> io::Result<()> {
    let mut draft = OsString::from(file);
    draft.push(".lck");
    let draft = PathBuf::from(draft);
    fs::write(&draft, listeners.port_lines())?;
    fs::rename(draft, file)
}

/// Sends to a connection that is about to be closed as many of `bytes` as fit into its send buffer; never waits.
pub(crate) fn send_once(fd: &OwnedFd, bytes: &[u8]) {
    // A failure cannot be told to anybody: the client learns of it from the close.
    let _ = SockRef::from(fd).send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
}

#[cfg(test)]
mod tests;

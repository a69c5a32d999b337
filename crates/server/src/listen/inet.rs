//! Addresses of TCP and UDP: from a name and a port to one socket per shard.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tracing::{info, warn};

use crate::base::config::Config;
use crate::base::listeners::{ListenAddress, Port};
use crate::error::StartError;
use crate::process;

use super::group::{Group, message};
use super::info::{ListenerInfo, Transport};

/// The time that a busy port is given to become free, and the pause between two tries.
const BUSY_PORT_PATIENCE: Duration = Duration::from_secs(1);
const BUSY_PORT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of buffers asked for on UDP sockets.
const DATAGRAM_SOCKET_BYTES: usize = 16 * 1024 * 1024;

/// The sockets of all addresses: TCP, the ports of shard-aware clients, UDP.
pub(super) fn groups(config: &Config, shards: usize) -> Result<Vec<Group>, StartError> {
    let mut groups = Vec::new();
    // As in memcached, `-p 0` turns TCP off, whatever ports `-l` names.
    let tcp = (config.tcp_port != Port::Off).then_some(&config.listen);
    for address in tcp.into_iter().flatten() {
        let port = address.port.unwrap_or(config.tcp_port);
        address_groups(config, address, Transport::Tcp, port, shards, &mut groups)?;
    }
    if config.shard_port != 0 {
        groups.extend(shard_port_groups(config, shards)?);
    }
    if config.udp_port != Port::Off {
        let mut udp = Vec::new();
        for address in &config.listen {
            // The port of an address holds for TCP and UDP, as in memcached.
            let port = address.port.unwrap_or(config.udp_port);
            address_groups(config, address, Transport::Udp, port, shards, &mut udp)?;
        }
        groups.append(&mut udp);
    }
    Ok(groups)
}

/// The sockets of one `-l`, whose name may stand for several addresses. If another process has one of these, it is
/// named and left out, as in memcached, provided that another address is left.
fn address_groups(
    config: &Config,
    listen: &ListenAddress,
    transport: Transport,
    port: Port,
    shards: usize,
    groups: &mut Vec<Group>,
) -> Result<(), StartError> {
    let port = match port {
        Port::Off => return Ok(()),
        Port::Ephemeral => None,
        Port::Fixed(port) => Some(port),
    };
    let info = ListenerInfo::of_address(config, listen, transport);
    // If several addresses are meant, one that this machine does not have (IPv6 turned off) is left out.
    let optional = listen.host.is_none() || config.listen_text.is_none();
    let before = groups.len();
    let mut busy = Vec::new();
    for host in resolve(listen)? {
        match bind_somewhere(config, transport, host, port, shards, groups) {
            Ok((sockets, address)) => groups.push(Group {
                sockets: sockets.into_iter().map(Arc::new).collect(),
                address: Some(address),
                info: info.clone(),
                is_inherited: false,
            }),
            Err(error) if optional && is_absent(&error) => {
                info!(ip = %host.ip(), "not listening on an address that this machine does not have");
            }
            Err(error) if is_busy(&error) => busy.push(explain(transport, host, port, &error)),
            Err(error) => return Err(explain(transport, host, port, &error)),
        }
    }
    if groups.len() == before
        && let Some(error) = busy.pop()
    {
        return Err(error);
    }
    for error in busy {
        process::say_warning(format_args!("warning: {error}"));
    }
    Ok(())
}

/// The sockets of one address. If the address has no port of its own, it gets the port that the kernel chose for an
/// earlier address, or another one if that is taken.
fn bind_somewhere(
    config: &Config,
    transport: Transport,
    host: SocketAddr,
    port: Option<u16>,
    shards: usize,
    groups: &[Group],
) -> io::Result<(Vec<OwnedFd>, SocketAddr)> {
    let wanted = port.or_else(|| chosen_before(groups));
    match bind_all(config, transport, host, wanted, shards) {
        Err(error) if port.is_none() && is_busy(&error) => {
            bind_all(config, transport, host, None, shards)
        }
        bound => bound,
    }
}

/// The sockets of `-o shard_port`: on every address of `-l`, whatever port the address names.
fn shard_port_groups(config: &Config, shards: usize) -> Result<Vec<Group>, StartError> {
    let mut groups = Vec::new();
    for address in &config.listen {
        let port = Port::Fixed(config.shard_port);
        address_groups(config, address, Transport::Tcp, port, shards, &mut groups)?;
    }
    for group in &mut groups {
        group.info.by_source_port = true;
    }
    Ok(groups)
}

/// With the port -1: the port that the kernel chose for an earlier address. All addresses are to have it if it is free.
fn chosen_before(groups: &[Group]) -> Option<u16> {
    groups.iter().find_map(|group| Some(group.address?.port()))
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT)
    )
}

/// The addresses that `-l` means, without duplicates and without a port. A link-local one keeps its link
/// (fe80::1%eth0).
pub(super) fn resolve(listen: &ListenAddress) -> Result<Vec<SocketAddr>, StartError> {
    let Some(host) = &listen.host else {
        return Ok(vec![
            (Ipv4Addr::UNSPECIFIED, 0).into(),
            (Ipv6Addr::UNSPECIFIED, 0).into(),
        ]);
    };
    let found = (host.as_str(), 0).to_socket_addrs().map_err(|error| {
        message(format!(
            "cannot listen on {host}: no address of that name ({error}); check -l"
        ))
    })?;
    let mut hosts: Vec<SocketAddr> = Vec::new();
    for host in found {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    Ok(hosts)
}

fn with_port(mut host: SocketAddr, port: Option<u16>) -> SocketAddr {
    host.set_port(port.unwrap_or(0));
    host
}

/// The error of an address that cannot be listened on, with the remedy.
fn explain(
    transport: Transport,
    host: SocketAddr,
    port: Option<u16>,
    error: &io::Error,
) -> StartError {
    let at = with_port(host, port);
    let (name, option, addresses) = match transport {
        Transport::Udp => ("UDP", "-U", "-l"),
        _ => ("TCP", "-p", "-l"),
    };
    explain_at(name, at, (option, addresses), error)
}

/// The same of the address `at`. The port is called `name`; the two options choose it and its address.
pub(super) fn explain_at(
    name: &str,
    at: SocketAddr,
    (port_option, address_option): (&str, &str),
    error: &io::Error,
) -> StartError {
    let (ip, port) = (at.ip(), at.port());
    let failed = format!("failed to listen on {name} port {port}");
    message(match error.raw_os_error() {
        Some(libc::EADDRINUSE) => format!(
            "{failed}: {at} is in use by another process; \
             stop that one (ss -lntup 'sport = :{port}' shows it) or choose another port with {port_option}"
        ),
        Some(libc::EACCES) => format!(
            "{failed}: {at} needs root or CAP_NET_BIND_SERVICE, as all ports below net.ipv4.ip_unprivileged_port_start do"
        ),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => {
            format!("{failed}: this machine does not have the address {ip}; check {address_option}")
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            format!("{failed}: too few file descriptors ({error}); raise ulimit -n")
        }
        _ => format!("{failed}: {at}: {error}"),
    })
}

/// The sockets of one address, and the address with the port that they were given.
fn bind_all(
    config: &Config,
    transport: Transport,
    host: SocketAddr,
    port: Option<u16>,
    shards: usize,
) -> io::Result<(Vec<OwnedFd>, SocketAddr)> {
    let mut address = with_port(host, port);
    if port.is_some() {
        claim(config, transport, address)?;
    }
    let mut sockets = Vec::with_capacity(shards);
    for _ in 0..shards {
        let socket = socket(config, transport, address)?;
        if let (Err(error), Some(first)) = (socket.set_reuse_port(true), sockets.first()) {
            // As with a socket that is handed over: one queue, from which the first shard to come takes.
            info!("shards share a socket: SO_REUSEPORT is denied: {error}");
            sockets.push(OwnedFd::try_clone(first)?);
            continue;
        }
        socket.bind(&address.into())?;
        // With port 0 the first socket is given a port by the kernel; the others use that port.
        address = match socket.local_addr() {
            Ok(bound) => bound.as_socket().unwrap_or(address),
            Err(error) if address.port() == 0 => return Err(error),
            Err(_) => address,
        };
        sockets.push(socket.into());
    }
    Ok((sockets, address))
}

/// Fails if another process listens at `address`, even one that would share it.
///
/// A server that was killed holds its port until the kernel has taken its rings down, some tenths of a second later. An
/// administrator who starts it again at once should not have to know that.
fn claim(config: &Config, transport: Transport, address: SocketAddr) -> io::Result<()> {
    // The socket is closed at once.
    patiently(|| socket(config, transport, address)?.bind(&address.into()))
}

/// Tries again for a while if the port is busy.
pub(super) fn patiently<T>(bind: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let begun = Instant::now();
    loop {
        match bind() {
            Err(error) if is_busy(&error) && begun.elapsed() < BUSY_PORT_PATIENCE => {
                thread::sleep(BUSY_PORT_PAUSE);
            }
            bound => return bound,
        }
    }
}

/// A socket with its options, which accepted connections inherit.
fn socket(config: &Config, transport: Transport, address: SocketAddr) -> io::Result<Socket> {
    let (kind, protocol) = match transport {
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
        _ => (Type::STREAM, Protocol::TCP),
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 has sockets of its own.
        socket.set_only_v6(true)?;
    }
    if transport == Transport::Udp {
        // The system allows up to net.core.wmem_max and rmem_max; a large reply is many datagrams at once.
        let _ = socket.set_send_buffer_size(DATAGRAM_SOCKET_BYTES);
        let _ = socket.set_recv_buffer_size(DATAGRAM_SOCKET_BYTES);
    } else {
        // For UDP this would let two servers share a port unnoticed.
        // A sandbox may deny these; memcached says so, and goes on.
        for result in [
            socket.set_reuse_address(true),
            socket.set_keepalive(true),
            socket.set_tcp_nodelay(true),
        ] {
            if let Err(error) = result {
                warn!("an option of a socket is denied: {error}");
            }
        }
    }
    if config.socket_mark != 0
        && let Err(error) = socket.set_mark(config.socket_mark)
    {
        warn!("-o sock_cookie_id has no effect ({error}): SO_MARK needs root or CAP_NET_ADMIN");
    }
    Ok(socket)
}

//! Listening sockets: one per shard for each TCP address, so that the kernel spreads connections over the shards.
//!
//! ```text
//!   -l 10.0.0.1 -l [::1]:5001 -s /run/c.sock -t 3
//!
//!     number   address           shard 0    shard 1    shard 2
//!        0     10.0.0.1:11211    socket     socket     socket      SO_REUSEPORT: the kernel chooses by a hash
//!        1     [::1]:5001        socket     socket     socket
//!        2     /run/c.sock       socket     dup        dup         one queue: who comes first accepts
//! ```
//!
//! With SO_REUSEPORT a second server of the same user could take half of the connections of the first without anybody
//! noticing. So each port is first bound without it, which fails if somebody listens there. Between that and the real
//! bind another process could slip in; only another server being started at that very moment would.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tracing::{info, warn};

use crate::config::{Config, ListenAddress, Port};
use crate::error::StartError;

mod source_port;

/// How long a busy port may take to become free, and how often it is tried.
const BUSY_PORT_PATIENCE: Duration = Duration::from_secs(1);
const BUSY_PORT_PAUSE: Duration = Duration::from_millis(50);

/// All listening sockets of the server.
#[derive(Debug)]
pub(crate) struct Listeners {
    groups: Vec<Group>,
}

/// The sockets of one address, by shard.
#[derive(Debug)]
struct Group {
    sockets: Vec<OwnedFd>,
    address: Address,
    /// Whether the client chooses the shard, by its source port.
    by_source_port: bool,
}

#[derive(Debug)]
enum Address {
    Tcp(SocketAddr),
    Unix,
}

impl Listeners {
    /// One shard's sockets, in the order of the addresses. They stay open as long as this lives.
    pub(crate) fn of_shard(&self, shard: usize) -> impl Iterator<Item = RawFd> {
        self.groups
            .iter()
            .map(move |group| group.sockets[shard].as_raw_fd())
    }

    /// Whether connections to these addresses stay on the shard that the client has chosen, in the order of the addresses.
    pub(crate) fn by_source_port(&self) -> impl Iterator<Item = bool> {
        self.groups.iter().map(|group| group.by_source_port)
    }

    /// What the file of MEMCACHED_PORT_FILENAME says: a line for each TCP socket, as memcached writes it.
    pub(crate) fn port_lines(&self) -> String {
        let mut lines = String::new();
        for group in &self.groups {
            let (family, port) = match group.address {
                Address::Tcp(SocketAddr::V4(address)) => ("INET", address.port()),
                Address::Tcp(SocketAddr::V6(address)) => ("INET6", address.port()),
                Address::Unix => continue,
            };
            let _ = writeln!(lines, "TCP {family}: {port}");
        }
        lines
    }
}

/// Makes all sockets and listens on them, `shards` for each address.
///
/// # Errors
/// If an address cannot be had; the message says which one and what to do.
pub(crate) fn bind(config: &Config, shards: usize) -> Result<Listeners, StartError> {
    let mut groups = Vec::new();
    for address in &config.listen {
        let port = address.port.unwrap_or(config.tcp_port);
        tcp_groups(config, address, port, shards, &mut groups)?;
    }
    if config.shard_port != 0 {
        groups.extend(shard_port_groups(config, shards)?);
    }
    if let Some(path) = &config.unix_socket {
        groups.push(unix_group(config, path, shards)?);
    }
    if groups.is_empty() {
        return Err(message(
            "there is nothing to listen on: -p 0 turns TCP off, and -s names a unix socket",
        ));
    }
    // All are bound: now nothing that follows fails for reasons that the user can mend.
    for socket in groups.iter().flat_map(|group| &group.sockets) {
        SockRef::from(socket)
            .listen(config.backlog)
            .map_err(|error| {
                message(format!(
                    "cannot listen with a backlog of {}: {error}",
                    config.backlog
                ))
            })?;
    }
    // The sockets have joined their groups in the order of the shards, which is what the program's result counts.
    for group in groups.iter().filter(|group| group.by_source_port) {
        source_port::attach(group, shards)
            .map_err(|error| message(format!("-o shard_port: cannot attach a program: {error}")))?;
    }
    Ok(Listeners { groups })
}

fn message(text: impl Into<String>) -> StartError {
    StartError::Message(text.into())
}

/// The sockets of one `-l`, whose name may stand for several addresses.
fn tcp_groups(
    config: &Config,
    listen: &ListenAddress,
    port: Port,
    shards: usize,
    groups: &mut Vec<Group>,
) -> Result<(), StartError> {
    let port = match port {
        Port::Off => return Ok(()),
        Port::Ephemeral => None,
        Port::Fixed(port) => Some(port),
    };
    // Where several addresses are meant, one that this machine does not have (IPv6 turned off) is left out.
    let optional = listen.host.is_none() || config.listen_text.is_none();
    for ip in resolve(listen)? {
        match tcp_group(config, ip, port.or_else(|| chosen_before(groups)), shards) {
            Ok(group) => groups.push(group),
            Err(error) if port.is_none() && is_busy(&error) => {
                groups.push(
                    tcp_group(config, ip, None, shards)
                        .map_err(|error| tcp_message(ip, port, &error))?,
                );
            }
            Err(error) if optional && is_absent(&error) => {
                info!(%ip, "not listening on an address that this machine does not have");
            }
            Err(error) => return Err(tcp_message(ip, port, &error)),
        }
    }
    Ok(())
}

/// The sockets of `-o shard_port`: on every address of `-l`, whatever port that names.
fn shard_port_groups(config: &Config, shards: usize) -> Result<Vec<Group>, StartError> {
    let mut groups = Vec::new();
    for address in &config.listen {
        let port = Port::Fixed(config.shard_port);
        tcp_groups(config, address, port, shards, &mut groups)?;
    }
    for group in &mut groups {
        group.by_source_port = true;
    }
    Ok(groups)
}

/// With `-p -1`: the port that the kernel chose for an earlier address, which is to be the port of all if it is free.
fn chosen_before(groups: &[Group]) -> Option<u16> {
    groups.iter().find_map(|group| match group.address {
        Address::Tcp(address) => Some(address.port()),
        Address::Unix => None,
    })
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

/// The addresses that `-l` means, without duplicates.
fn resolve(listen: &ListenAddress) -> Result<Vec<IpAddr>, StartError> {
    let Some(host) = &listen.host else {
        return Ok(vec![
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv6Addr::UNSPECIFIED.into(),
        ]);
    };
    let found = (host.as_str(), 0).to_socket_addrs().map_err(|error| {
        message(format!(
            "cannot listen on {host}: no address of that name ({error}); check -l"
        ))
    })?;
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in found.map(|address| address.ip()) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    Ok(ips)
}

/// What keeps an address from being listened on, and what to do.
fn tcp_message(ip: IpAddr, port: Option<u16>, error: &io::Error) -> StartError {
    let port = port.unwrap_or(0);
    let at = SocketAddr::new(ip, port);
    message(match error.raw_os_error() {
        Some(libc::EADDRINUSE) => format!(
            "failed to listen on TCP port {port}: {at} is in use by another process; \
             stop that one (ss -ltnp 'sport = :{port}' shows it) or choose another port with -p"
        ),
        Some(libc::EACCES) => format!(
            "failed to listen on TCP port {port}: {at} needs root or CAP_NET_BIND_SERVICE, as all ports below net.ipv4.ip_unprivileged_port_start do"
        ),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => {
            format!(
                "failed to listen on TCP port {port}: this machine does not have the address {ip}; check -l"
            )
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            format!(
                "failed to listen on TCP port {port}: too few file descriptors ({error}); raise ulimit -n"
            )
        }
        _ => format!("failed to listen on TCP port {port}: {at}: {error}"),
    })
}

fn tcp_group(config: &Config, ip: IpAddr, port: Option<u16>, shards: usize) -> io::Result<Group> {
    let mut address = SocketAddr::new(ip, port.unwrap_or(0));
    if port.is_some() {
        claim(config, address)?;
    }
    let mut sockets = Vec::with_capacity(shards);
    for _ in 0..shards {
        let socket = tcp_socket(config, address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        // With port 0 the first socket gets one from the kernel; the others join it there.
        address = socket.local_addr()?.as_socket().unwrap_or(address);
        sockets.push(socket.into());
    }
    Ok(Group {
        sockets,
        address: Address::Tcp(address),
        by_source_port: false,
    })
}

/// Fails if anybody listens at `address`, also one who would share.
///
/// A server that was killed holds its port until the kernel has taken its rings down, some tenths of a second later: who
/// starts it again at once should not have to know that.
fn claim(config: &Config, address: SocketAddr) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        // The socket is closed at once.
        match tcp_socket(config, address)?.bind(&address.into()) {
            Err(error) if is_busy(&error) && begun.elapsed() < BUSY_PORT_PATIENCE => {
                thread::sleep(BUSY_PORT_PAUSE);
            }
            bound => return bound,
        }
    }
}

/// A socket with the options that accepted connections inherit.
fn tcp_socket(config: &Config, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // IPv4 has its own sockets.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    if config.socket_mark != 0
        && let Err(error) = socket.set_mark(config.socket_mark)
    {
        warn!("-o sock_cookie_id has no effect: {error}");
    }
    Ok(socket)
}

fn unix_group(config: &Config, path: &Path, shards: usize) -> Result<Group, StartError> {
    let failed = |error: io::Error| {
        message(format!(
            "failed to listen on UNIX socket: {}: {error}",
            path.display()
        ))
    };
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    let address = SockAddr::unix(path).map_err(failed)?;
    // The mode must be right from the first moment on, so it is the mask that decides, not a chmod.
    // SAFETY: umask has no memory effects. It is the process's; no other thread creates files at start-up.
    let previous = unsafe { libc::umask(!config.unix_mask & 0o777) };
    let bound = socket.bind(&address);
    // SAFETY: as above.
    unsafe { libc::umask(previous) };
    bound.map_err(failed)?;
    if let Some(user) = crate::process::user_to_become(config)? {
        std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)).map_err(failed)?;
    }
    let first = OwnedFd::from(socket);
    let mut sockets = Vec::with_capacity(shards);
    for _ in 1..shards {
        sockets.push(first.try_clone().map_err(failed)?);
    }
    sockets.insert(0, first);
    Ok(Group {
        sockets,
        address: Address::Unix,
        by_source_port: false,
    })
}

/// Removes the socket file of a server that is gone.
fn remove_stale(path: &Path) -> Result<(), StartError> {
    let is_socket =
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if !is_socket {
        // Something else by that name is not ours to remove: bind will say that it is in the way.
        return Ok(());
    }
    if UnixStream::connect(path).is_ok() {
        return Err(message(format!(
            "failed to listen on UNIX socket: {}: another server listens there; stop it or choose another path with -s",
            path.display()
        )));
    }
    fs::remove_file(path).map_err(|error| {
        message(format!(
            "cannot remove the stale UNIX socket {}: {error}",
            path.display()
        ))
    })
}

/// Writes the ports to `file` for whoever started the server, by way of `file.lck`, so that no half of it is seen.
pub(crate) fn write_port_file(file: &std::ffi::OsStr, listeners: &Listeners) -> io::Result<()> {
    let mut draft = OsString::from(file);
    draft.push(".lck");
    let draft = PathBuf::from(draft);
    fs::write(&draft, listeners.port_lines())?;
    fs::rename(draft, file)
}

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

/// Sends to a connection that is about to be closed what fits in its send buffer; never waits.
pub(crate) fn send_once(fd: &OwnedFd, bytes: &[u8]) {
    // What fails here cannot be told to anybody: the client learns from the close.
    let _ = SockRef::from(fd).send_with_flags(bytes, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
}

#[cfg(test)]
mod tests;

//! Blocking sockets: opened within a time, with a source port if one is asked for.

use crate::error::{Doing, Error, Result};
use crate::{Address, SourcePorts};
use socket2::{Domain, SockAddr, Socket as Raw, Type};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Connects to `address`; TCP sends small requests without delay.
    ///
    /// # Errors
    ///
    /// If no address of the host could be reached in time.
    pub fn open(address: &Address, timeout: Duration) -> Result<Self> {
        if let Some(path) = address.path() {
            let socket = Raw::new(Domain::UNIX, Type::STREAM, None)?;
            socket.connect_timeout(&SockAddr::unix(path)?, timeout)?;
            return Ok(Socket::Unix(socket.into()));
        }
        each_address(address, |socket_address| {
            connect_tcp(socket_address, None, timeout)
        })
    }

    /// Connects to `address` from one of `ports`: the first that is free.
    ///
    /// # Errors
    ///
    /// As [`Socket::open`]; or if none of the ports is free.
    pub fn open_from(
        address: &Address,
        ports: impl Iterator<Item = u16>,
        timeout: Duration,
    ) -> Result<Self> {
        let mut ports = ports;
        each_address(address, |socket_address| {
            for port in ports.by_ref() {
                match connect_tcp(socket_address, Some(port), timeout) {
                    Err(Error::Io(error)) if is_port_taken(&error) => {}
                    result => return result,
                }
            }
            Err(no_free_port())
        })
    }

    /// Sets how long one read and one write may block.
    ///
    /// # Errors
    ///
    /// If the socket refuses the timeouts.
    pub fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(tcp) => {
                tcp.set_read_timeout(read)?;
                tcp.set_write_timeout(write)
            }
            Socket::Unix(unix) => {
                unix.set_read_timeout(read)?;
                unix.set_write_timeout(write)
            }
        }
    }

    /// A second handle, for another thread.
    ///
    /// # Errors
    ///
    /// If there are no more file descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Socket::Tcp(tcp) => Socket::Tcp(tcp.try_clone()?),
            Socket::Unix(unix) => Socket::Unix(unix.try_clone()?),
        })
    }

    /// Whether the server has neither closed nor sent anything: nothing can be read now.
    pub(crate) fn is_quiet(&self) -> bool {
        is_quiet(self.as_fd())
    }
}

/// Whether nothing can be read from a socket, not even its end.
pub(crate) fn is_quiet(socket: BorrowedFd<'_>) -> bool {
    use rustix::net::RecvFlags;
    let mut byte = [0];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let peeked = rustix::net::recv(socket, &mut byte[..], flags);
    matches!(peeked, Err(rustix::io::Errno::AGAIN))
}

/// Whether a source port is in use, so that another one may do.
pub(crate) fn is_port_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

pub(crate) fn no_free_port() -> Error {
    Error::Io(io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        format!("no free source port in {:?}", SourcePorts::RANGE),
    ))
}

/// Tries all addresses of a host, and returns the last error if none of them can be reached.
fn each_address(
    address: &Address,
    mut open: impl FnMut(SocketAddr) -> Result<Socket>,
) -> Result<Socket> {
    let Some(host) = address.host() else {
        return Err(Error::Config(format!("{address} has no port")));
    };
    let mut last = None;
    for socket_address in host.to_socket_addrs()? {
        match open(socket_address) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::Config(format!("{address} has no address"))))
}

fn connect_tcp(address: SocketAddr, from: Option<u16>, timeout: Duration) -> Result<Socket> {
    let socket = Raw::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(port) = from {
        socket.set_reuse_address(true)?;
        socket.bind(&source(address, port).into())?;
    }
    socket.connect_timeout(&address.into(), timeout)?;
    socket.set_tcp_nodelay(true)?;
    Ok(Socket::Tcp(socket.into()))
}

/// Any local address of the family of `address`, at `port`.
pub(crate) fn source(address: SocketAddr, port: u16) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    }
}

impl From<io::Error> for Error {
    /// An error of opening a connection.
    fn from(error: io::Error) -> Self {
        of_io(error, Doing::Connect)
    }
}

/// The client's error for an error that a socket reported during the step `doing`.
pub(crate) fn of_io(error: io::Error, doing: Doing) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(doing),
        _ => Error::Io(error),
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(tcp) => tcp.as_fd(),
            Socket::Unix(unix) => unix.as_fd(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(tcp) => tcp.read(buf),
            Socket::Unix(unix) => unix.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(tcp) => tcp.write(buf),
            Socket::Unix(unix) => unix.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

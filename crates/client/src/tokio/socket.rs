//! Async sockets: opened within a time, with a source port if one is asked for.

use crate::Address;
use crate::error::{Doing, Error, Result};
use crate::net::{is_port_taken, is_quiet, no_free_port, source};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Connects to `address`, from one of the source ports `from` if there are any.
    ///
    /// # Errors
    ///
    /// If no address of the host could be reached in time, or none of the ports is free.
    pub async fn open(
        address: &Address,
        from: Option<Vec<u16>>,
        patience: Duration,
    ) -> Result<Self> {
        within(patience, Doing::Connect, open(address, from)).await?
    }

    /// Whether the server has neither closed nor sent anything: nothing can be read now.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Socket::Tcp(tcp) => is_quiet(tcp.as_fd()),
            Socket::Unix(unix) => is_quiet(unix.as_fd()),
        }
    }
}

/// The output of `future`; an error if it takes too long.
pub(super) async fn within<T>(
    patience: Duration,
    doing: Doing,
    future: impl Future<Output = T>,
) -> Result<T> {
    let done = tokio::time::timeout(patience, future).await;
    done.map_err(|_| Error::Timeout(doing))
}

async fn open(address: &Address, from: Option<Vec<u16>>) -> Result<Socket> {
    if let Some(path) = address.path() {
        return Ok(Socket::Unix(UnixStream::connect(path).await?));
    }
    let Some(host) = address.host() else {
        return Err(Error::Config(format!("{address} has no port")));
    };
    let mut last = None;
    for socket_address in tokio::net::lookup_host(host).await? {
        let connected = match &from {
            None => TcpStream::connect(socket_address)
                .await
                .map_err(Error::from),
            Some(ports) => connect_from(socket_address, ports).await,
        };
        match connected {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Socket::Tcp(stream));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::Config(format!("{address} has no address"))))
}

async fn connect_from(address: SocketAddr, ports: &[u16]) -> Result<TcpStream> {
    for &port in ports {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        let bound = socket.bind(source(address, port));
        let connected = match bound {
            Ok(()) => socket.connect(address).await,
            Err(error) => Err(error),
        };
        match connected {
            Err(error) if is_port_taken(&error) => {}
            result => return Ok(result?),
        }
    }
    Err(no_free_port())
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(tcp) => Pin::new(tcp).poll_read(context, buf),
            Socket::Unix(unix) => Pin::new(unix).poll_read(context, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(tcp) => Pin::new(tcp).poll_write(context, buf),
            Socket::Unix(unix) => Pin::new(unix).poll_write(context, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Socket::Unix(unix) => Pin::new(unix).poll_shutdown(context),
        }
    }
}

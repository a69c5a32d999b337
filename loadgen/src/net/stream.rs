//! A blocking stream over a connection with or without TLS, for the control conversation.

use super::handshake::Opened;
use super::tls::{ClientSession, explain};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Bytes of one read: a record.
const READ_BYTES: usize = 17 * 1024;

/// A blocking stream.
pub struct Stream {
    socket: UnixStream,
    tls: Option<Secure>,
}

struct Secure {
    session: Box<ClientSession>,
    scratch: Vec<u8>,
    /// Decrypted, and from `read` on not yet taken.
    plain: Vec<u8>,
    read: usize,
    out: Vec<u8>,
    buffer: Vec<u8>,
}

/// The end of a TLS session, as the reason of an `io::Error`.
#[derive(Debug)]
pub struct TlsFailure(String);

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsFailure {}

impl TlsFailure {
    /// The end of a TLS session, if that is the reason of `error`.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl Stream {
    /// A stream over `opened`, that waits for `timeout` at most.
    pub fn new(opened: Opened, timeout: Duration) -> io::Result<Self> {
        let socket = UnixStream::from(opened.socket);
        socket.set_read_timeout(Some(timeout))?;
        socket.set_write_timeout(Some(timeout))?;
        let tls = opened.tls.map(|session| Secure {
            session,
            scratch: Vec::new(),
            plain: Vec::new(),
            read: 0,
            out: Vec::new(),
            buffer: vec![0; READ_BYTES],
        });
        Ok(Self { socket, tls })
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(into),
            Some(tls) => tls.read(&mut self.socket, into),
        }
    }
}

impl Secure {
    fn read(&mut self, socket: &mut UnixStream, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.plain.len() {
            self.plain.clear();
            self.read = 0;
            if self.session.peer_has_closed() {
                return Ok(0);
            }
            let bytes = socket.read(&mut self.buffer)?;
            if bytes == 0 {
                return Ok(0);
            }
            let received = self.session.receive(
                &self.buffer[..bytes],
                &mut self.scratch,
                &mut self.out,
                |plain| self.plain.extend_from_slice(plain),
            );
            let sent = socket.write_all(&self.out);
            self.out.clear();
            received.map_err(|error| io::Error::other(TlsFailure(explain(&error))))?;
            sent?;
        }
        let bytes = (&self.plain[self.read..]).read(into)?;
        self.read += bytes;
        Ok(bytes)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.write(bytes);
        };
        tls.session
            .encrypt(bytes, &mut tls.out)
            .map_err(|error| io::Error::other(TlsFailure(explain(&error))))?;
        let sent = self.socket.write_all(&tls.out);
        tls.out.clear();
        sent.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.session.close(&mut tls.out);
            // If the server has gone, it needs no goodbye.
            let _ = self.socket.write_all(&tls.out);
        }
    }
}

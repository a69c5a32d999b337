//! The socket of one conversation, which bounds what a server can do to us: each reply has so many bytes and comes
//! within such a time, however it is cut. A server that sends for ever, or a byte now and then, is an error.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use corecached_client::Socket;

/// Most bytes of one reply. `stats shards` of 1024 shards has half of it.
pub(crate) const REPLY_BYTES_MAX: usize = 1 << 20;
/// Time in which a reply must be whole.
pub(crate) const REPLY_TIME_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Bounded {
    socket: Socket,
    deadline: Instant,
    bytes_left: usize,
}

impl Bounded {
    pub(crate) fn new(socket: Socket) -> Self {
        let mut bounded = Self {
            socket,
            deadline: Instant::now(),
            bytes_left: 0,
        };
        bounded.begin();
        bounded
    }

    /// A new request begins, with the whole time and all bytes for its reply.
    pub(crate) fn begin(&mut self) {
        self.deadline = Instant::now() + REPLY_TIME_MAX;
        self.bytes_left = REPLY_BYTES_MAX;
    }

    /// Lets the next call of the socket take what is left of the time.
    fn set_patience(&self) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.set_timeouts(Some(left), Some(left))
    }
}

impl Read for Bounded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.bytes_left == 0 {
            let why = format!("a reply of more than {REPLY_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.set_patience()?;
        let wanted = buf.len().min(self.bytes_left);
        let count = self.socket.read(&mut buf[..wanted])?;
        self.bytes_left -= count;
        Ok(count)
    }
}

impl Write for Bounded {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.set_patience()?;
        self.socket.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

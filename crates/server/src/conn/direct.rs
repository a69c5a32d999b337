//! Large values go from the socket straight into slab memory, without passing through the receive buffers of the ring.
//!
//! ```text
//!   multishot receive --- a large value begins ---> cancelled --> poll --> readable: read by ourselves --+
//!          ^                                                       ^                                     |
//!          +------ no large value in the last reads --------------------- poll again --------------------+
//! ```
//!
//! A client that has sent one large value tends to send more. So its connection stays with polls for some reads, and
//! the next value does not begin in receive buffers, which the kernel fills with up to 256 KiB at a time. A poll and a
//! read cost a request about a microsecond more than a multishot receive, which is little beside a large value and much
//! beside a small one.

use std::io;
use std::os::fd::AsFd;

use super::window::{DirectRead, Filled};
use super::{Conn, Cx, Link, Phase};

/// Bytes read for one connection in one turn at most, give or take a window: about as many as a socket takes of a reply
/// at once (`net.ipv4.tcp_wmem` ends at 4 MiB, bookkeeping included). A value of 4 MiB took five turns with a quarter
/// of this bound, and takes three or four.
const TURN_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Size of the buffer into which bytes that belong to no large value are read.
pub(crate) const LANDING_BYTES: usize = 16 * 1024;

/// Result of [`Conn::read_directly`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Bytes may have come; if so, they have been worked on.
    Bytes,
    /// The peer has sent its last byte.
    End,
}

impl Conn {
    /// Reads the bytes that the socket has, up to a limit, and works on them. `landing` is a buffer for bytes that
    /// belong to no large value.
    ///
    /// # Errors
    /// Errors of the socket, except that it has nothing to read.
    pub(crate) fn read_directly(
        &mut self,
        landing: &mut [u8],
        cx: &mut Cx<'_>,
    ) -> io::Result<Arrival> {
        let mut left = TURN_BYTES_MAX;
        loop {
            let read = match self.read_once(landing, cx) {
                Err(error) if is_harmless(&error) => return Ok(Arrival::Bytes),
                read => read?,
            };
            let (room, count) = (read.room, read.filled.bytes());
            if room > 0 && count == 0 {
                return Ok(Arrival::End);
            }
            left = left.saturating_sub(count);
            let goes_on = matches!(self.phase, Phase::Value(_)) && self.input.is_empty();
            let is_dry = count < room || room == 0;
            if is_dry || left == 0 || !goes_on {
                return Ok(Arrival::Bytes);
            }
        }
    }

    /// Reads once. There is no room in the window while the connection waits for memory.
    fn read_once(&mut self, landing: &mut [u8], cx: &mut Cx<'_>) -> io::Result<DirectRead> {
        if self.needs_room() {
            self.resume(cx);
            if self.needs_room() {
                return Ok(DirectRead::default());
            }
        }
        let Link::Socket(socket) = &self.link else {
            return Ok(DirectRead::default());
        };
        let is_value = self.input.is_empty();
        let read = match &mut self.phase {
            Phase::Value(upload) if is_value => upload.read(socket.as_fd(), landing)?,
            _ => {
                self.reads.count_small();
                let count = rustix::net::recv(
                    socket.as_fd(),
                    &mut *landing,
                    rustix::net::RecvFlags::DONTWAIT,
                )?
                .0;
                DirectRead {
                    room: landing.len(),
                    filled: Filled {
                        inside: 0,
                        behind: count,
                    },
                }
            }
        };
        cx.net.bytes_read.add(read.filled.bytes() as u64);
        if read.filled.bytes() > 0 {
            self.receive_plain(&landing[..read.filled.behind], cx);
        }
        Ok(read)
    }
}

/// Whether the error means that there is nothing to read after all.
fn is_harmless(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

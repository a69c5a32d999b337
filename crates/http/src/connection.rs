//! One connection, from its first byte to its last.
//!
//! ```text
//!   Reading --a whole head--> Sending --all is sent--> Leaving --the client has closed--> gone
//!      |                        |                         |
//!      +--- no time is left ----+-------------------------+-----------------------------> gone
//! ```
//!
//! A client that has waited for its answer in vain is told so. What a client sends after its request is read and thrown
//! away for a while: if it were left unread, the kernel would reset the connection, and the client could lose the
//! answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::request::{answer, refused};
use crate::{Answer, Request};

/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 1024;
/// Time in which the head of a request must be there.
const HEAD_TIME_MAX: Duration = Duration::from_secs(2);
/// Time in which an answer must be taken.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Time and bytes that a client has to close once it has the answer.
const LEAVING_TIME_MAX: Duration = Duration::from_secs(1);
const LEAVING_BYTES_MAX: usize = 64 * 1024;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// It waits for the client.
    Waits,
    /// It has ended.
    Ended,
}

#[derive(Debug)]
enum Phase {
    /// The head as far as it has come.
    Reading(Vec<u8>),
    /// The answer, and how much of it is sent.
    Sending(Vec<u8>, usize),
    /// The number of bytes that may still be thrown away.
    Leaving(usize),
}

/// A connection with a client.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    phase: Phase,
    deadline: Instant,
}

impl Connection {
    /// A connection that was just accepted.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            phase: Phase::Reading(Vec::new()),
            deadline: Instant::now() + HEAD_TIME_MAX,
        })
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What the connection waits for.
    pub(crate) fn awaited(&self) -> PollFlags {
        match self.phase {
            Phase::Reading(_) | Phase::Leaving(_) => PollFlags::IN,
            Phase::Sending(..) => PollFlags::OUT,
        }
    }

    /// The moment at which its time is over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether all of the answer is with the kernel, so that the server has nothing more to do.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_))
    }

    /// Goes on as far as the socket allows.
    pub(crate) fn go_on(
        &mut self,
        is_local: bool,
        site: &mut impl FnMut(&Request<'_>) -> Answer,
    ) -> Course {
        if let Phase::Reading(head) = &mut self.phase {
            let reply = match read_head(&mut self.stream, head) {
                Ok(Head::Whole) => answer(head, is_local, site),
                Ok(Head::TooLong) => refused(
                    "431 Request Header Fields Too Large",
                    "The request is longer than is read here.",
                ),
                Err(error) => return course_of(&error),
            };
            self.send(reply);
        }
        self.finish().unwrap_or_else(|error| course_of(&error))
    }

    /// Its time is over.
    pub(crate) fn expire(&mut self) -> Course {
        if !matches!(self.phase, Phase::Reading(_)) {
            return Course::Ended;
        }
        let sentence = "The request has not come in time.";
        self.send(refused("408 Request Timeout", sentence));
        self.finish().unwrap_or_else(|error| course_of(&error))
    }

    fn send(&mut self, reply: Vec<u8>) {
        self.phase = Phase::Sending(reply, 0);
        self.deadline = Instant::now() + ANSWER_TIME_MAX;
    }

    /// Sends what is to be sent, and reads what is to be thrown away.
    fn finish(&mut self) -> io::Result<Course> {
        if let Phase::Sending(reply, sent) = &mut self.phase {
            while *sent < reply.len() {
                *sent += some(self.stream.write(&reply[*sent..]))?;
            }
            self.stream.shutdown(Shutdown::Write)?;
            self.phase = Phase::Leaving(LEAVING_BYTES_MAX);
            self.deadline = Instant::now() + LEAVING_TIME_MAX;
        }
        if let Phase::Leaving(bytes_left) = &mut self.phase {
            while *bytes_left > 0 {
                let count = some(self.stream.read(&mut [0; READ_BYTES]))?;
                *bytes_left = bytes_left.saturating_sub(count);
            }
        }
        Ok(Course::Ended)
    }
}

/// What has come of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Whole,
    TooLong,
}

/// Reads until the head has ended.
///
/// # Errors
///
/// If the socket has no more bytes yet, or none at all any more.
fn read_head(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<Head> {
    let mut bytes = [0; READ_BYTES];
    loop {
        let count = some(stream.read(&mut bytes))?;
        // The end may have begun before these bytes.
        let from = head.len().saturating_sub(END.len() - 1);
        head.extend_from_slice(&bytes[..count]);
        if let Some(at) = head[from..].windows(END.len()).position(|it| it == END) {
            head.truncate(from + at + END.len());
            return Ok(Head::Whole);
        }
        if head.len() > HEAD_BYTES_MAX {
            return Ok(Head::TooLong);
        }
    }
}

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// At least one byte; none is the end of the connection.
fn some(count: io::Result<usize>) -> io::Result<usize> {
    match count {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        count => count,
    }
}

fn course_of(error: &io::Error) -> Course {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Course::Waits,
        // A client that goes away in the middle is nobody's fault.
        _ => Course::Ended,
    }
}

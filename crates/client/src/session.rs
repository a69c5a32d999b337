//! One connection without its socket: the bytes to send, the received bytes, and the requests still to be answered.
//!
//! ```text
//!   ask(&request) --> out --[TLS]--> outgoing() ... sent(n)          a socket, blocking or not,
//!   answer()     <-- input <--[TLS]-- space() ... filled(n)          is whoever calls these
//!                      '- Reader, by what the oldest Asked expects
//! ```
//!
//! After an error that puts the stream in doubt (an error of the protocol, or an error that the socket's owner reports
//! by [`Session::fail`]) a session gives no more answers: the next bytes could be the reply to an older request.

use crate::Protocol;
use crate::answer::Answer;
use crate::error::{Error, ProtocolError, Result, excerpt};
use crate::reader::{Asked, Progress, Reader, Shape};
use crate::request::{Frame, Request};
use crate::tls::Channel;
use std::collections::VecDeque;

/// Bytes asked for in one read.
const READ_BYTES: usize = 16 * 1024;

/// One connection without its socket.
#[derive(Debug)]
pub struct Session {
    protocol: Protocol,
    channel: Channel,
    /// Plain bytes to send.
    out: Vec<u8>,
    /// How many bytes of `out` are sent.
    out_sent: usize,
    /// How many bytes at the end of `out` are not to be sent yet.
    held_back: usize,
    input: Input,
    reader: Reader,
    asked: VecDeque<Asked>,
    next_opaque: u32,
    broken: bool,
}

impl Session {
    /// A session of a fresh connection without TLS, which takes values of at most `value_bytes_max`.
    #[must_use]
    pub fn new(protocol: Protocol, value_bytes_max: usize) -> Self {
        Self::over(Channel::Plain, protocol, value_bytes_max)
    }

    pub(crate) fn over(channel: Channel, protocol: Protocol, value_bytes_max: usize) -> Self {
        Session {
            protocol,
            channel,
            out: Vec::new(),
            out_sent: 0,
            held_back: 0,
            input: Input::default(),
            reader: Reader::new(protocol, value_bytes_max),
            asked: VecDeque::new(),
            next_opaque: 0,
            broken: false,
        }
    }

    /// The protocol of the session.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether every request has been answered, and nothing came unasked: only then may the connection be kept for
    /// later.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.broken
            && self.asked.is_empty()
            && self.input.bytes().is_empty()
            && !self.reader.has_begun()
            && self.out.len() == self.out_sent
    }

    /// How many requests wait for their answer.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.asked.len()
    }

    /// Whether the TLS handshake is under way: bytes go to and fro, without any request.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.channel.is_handshaking()
    }

    /// Bytes of requests that are not sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.out.len() - self.out_sent
    }

    /// Holds the last `bytes` unsent bytes back, until [`Session::release`].
    pub(crate) fn hold_back(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.unsent());
        self.held_back = bytes;
    }

    /// Allows all bytes to be sent.
    pub(crate) fn release(&mut self) {
        self.held_back = 0;
    }

    /// Renders a request and notes the shape of its answer. True if there will be an answer.
    ///
    /// # Errors
    ///
    /// If the protocol cannot express the request (then nothing is rendered); or if the session has failed.
    pub fn ask<R: Request + ?Sized>(&mut self, request: &R) -> Result<bool> {
        if self.broken {
            return Err(Error::Closed);
        }
        let length = self.out.len();
        let mut frame = Frame::new(self.protocol, self.next_opaque, &mut self.out);
        match request.write(&mut frame) {
            Ok(shape) => {
                let asked = Asked {
                    shape,
                    opaque: self.next_opaque,
                };
                self.next_opaque = self.next_opaque.wrapping_add(Asked::opaques(shape));
                if shape != Shape::Nothing {
                    self.asked.push_back(asked);
                }
                Ok(shape != Shape::Nothing)
            }
            Err(error) => {
                self.out.truncate(length);
                Err(error)
            }
        }
    }

    /// The bytes to send next; empty if there are none.
    ///
    /// # Errors
    ///
    /// If TLS refuses to go on.
    pub fn outgoing(&mut self) -> Result<&[u8]> {
        let ready = self.out_sent..self.out.len() - self.held_back;
        if self.channel.is_plain() {
            return Ok(&self.out[ready]);
        }
        let taken = self.channel.encrypt(&self.out[ready]);
        match taken {
            Ok(taken) => self.take_out(taken),
            Err(error) => {
                self.fail();
                return Err(error.into());
            }
        }
        Ok(self.channel.outgoing())
    }

    /// Notes that the first `bytes` bytes of [`Session::outgoing`] were sent.
    pub fn sent(&mut self, bytes: usize) {
        match self.channel {
            Channel::Plain => self.take_out(bytes),
            #[cfg(feature = "tls")]
            Channel::Tls(_) => self.channel.sent(bytes),
        }
    }

    fn take_out(&mut self, bytes: usize) {
        self.out_sent += bytes;
        if self.out_sent == self.out.len() {
            self.out.clear();
            self.out_sent = 0;
        }
    }

    /// The space for the next received bytes.
    pub fn space(&mut self) -> &mut [u8] {
        match self.channel {
            Channel::Plain => self.input.space(),
            #[cfg(feature = "tls")]
            Channel::Tls(_) => self.channel.space(),
        }
    }

    /// Notes that `bytes` bytes were received into [`Session::space`].
    ///
    /// # Errors
    ///
    /// If the TLS handshake fails, or a record is broken.
    pub fn filled(&mut self, bytes: usize) -> Result<()> {
        match self.channel {
            Channel::Plain => {
                self.input.filled(bytes);
                Ok(())
            }
            #[cfg(feature = "tls")]
            Channel::Tls(_) => {
                let input = &mut self.input;
                let taken = self
                    .channel
                    .decrypt(bytes, |plain| input.extend_from_slice(plain));
                taken.map_err(|error| {
                    self.broken = true;
                    error.into()
                })
            }
        }
    }

    /// The next answer; `None` if it has not come whole.
    ///
    /// # Errors
    ///
    /// If the server broke the protocol; the session has then failed.
    pub fn answer(&mut self) -> Result<Option<Answer>> {
        if self.broken {
            return Err(Error::Closed);
        }
        self.next_answer().map_err(|error| {
            self.broken = true;
            error.into()
        })
    }

    fn next_answer(&mut self) -> std::result::Result<Option<Answer>, ProtocolError> {
        let Some(asked) = self.asked.front().copied() else {
            return match self.input.bytes() {
                [] => Ok(None),
                bytes => Err(ProtocolError::Shifted(format!(
                    "nothing was asked: \"{}\"",
                    excerpt(bytes)
                ))),
            };
        };
        loop {
            match self.reader.step(self.input.bytes(), &asked)? {
                Progress::Incomplete => return Ok(None),
                Progress::Used(bytes) => self.input.used(bytes),
                Progress::Whole(bytes, answer) => {
                    self.input.used(bytes);
                    self.asked.pop_front();
                    return Ok(Some(answer));
                }
            }
        }
    }

    /// Ends the session: the socket failed, or an answer is not waited for any more. There will be no further answers.
    pub fn fail(&mut self) {
        self.broken = true;
    }

    /// Reads an answer as the outcome of the request it belongs to; a mismatch is a breach of the protocol.
    ///
    /// # Errors
    ///
    /// If the server refused the request, or the answer belongs to another request.
    pub fn outcome<R: Request + ?Sized>(
        &mut self,
        request: &R,
        answer: Answer,
    ) -> Result<R::Output> {
        request.read(answer).inspect_err(|error| {
            if error.closes() {
                self.broken = true;
            }
        })
    }
}

/// Received bytes that are not used yet.
#[derive(Debug, Default)]
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn used(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    fn space(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            // Only a long line or a long packet that is no value is kept whole; both have limits.
            self.buffer.resize(self.buffer.len() + READ_BYTES, 0);
        }
        &mut self.buffer[self.end..]
    }

    fn filled(&mut self, bytes: usize) {
        debug_assert!(self.end + bytes <= self.buffer.len());
        self.end += bytes;
    }

    #[cfg(feature = "tls")]
    fn extend_from_slice(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let taken = space.len().min(bytes.len());
            space[..taken].copy_from_slice(&bytes[..taken]);
            self.filled(taken);
            bytes = &bytes[taken..];
        }
    }
}

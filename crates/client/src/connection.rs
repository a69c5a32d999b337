//! A blocking connection to one server.
//!
//! ```text
//!   call(&request)     ask, send, wait for the answer
//!   pipeline()         ask, ask, ask, send, wait for all answers
//! ```
//!
//! At most [`PIPELINE_BYTES`](crate::limits::PIPELINE_BYTES) of unanswered requests, or one request, are on their way
//! at once. So both sides never block each other for ever, even if the server stops reading while its replies are not
//! read.

use crate::answer::Answer;
use crate::config::{Config, Login};
use crate::error::{Doing, Error, Result};
use crate::net::{Socket, of_io};
use crate::request::{self, Request};
use crate::session::Session;
use crate::verbs::keyed_verbs;
use crate::{Address, Protocol};
use std::io::{self, Read, Write};

/// A blocking connection, over a socket or anything else that can be read and written.
///
/// ```no_run
/// use corecached_client::{Config, Connection};
/// use std::time::Duration;
///
/// let mut connection = Connection::open("127.0.0.1:11211", &Config::new())?;
/// connection.set("greeting", "hello", Duration::from_secs(60))?;
/// assert_eq!(connection.incr("greetings", 1)?, None);
/// # Ok::<(), corecached_client::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection<S = Socket> {
    pub(crate) session: Session,
    stream: S,
    /// Bytes of requests whose answers have not come.
    pub(crate) in_flight: usize,
}

impl Connection<Socket> {
    /// Connects, agrees on TLS and authenticates, as `config` says.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or does not accept the client.
    pub fn open<A>(address: A, config: &Config) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Self::open_at(&address.try_into()?, config)
    }

    pub(crate) fn open_at(address: &Address, config: &Config) -> Result<Self> {
        let socket = Socket::open(address, config.connect_timeout)?;
        Self::greet(socket, address, config)
    }

    /// Connects from one of the source ports `ports`, for a server where the source port chooses the shard.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`]; or if none of the ports is free.
    pub fn open_from(
        address: &Address,
        ports: impl Iterator<Item = u16>,
        config: &Config,
    ) -> Result<Self> {
        let socket = Socket::open_from(address, ports, config.connect_timeout)?;
        Self::greet(socket, address, config)
    }

    fn greet(socket: Socket, address: &Address, config: &Config) -> Result<Self> {
        let patience = Some(config.connect_timeout);
        socket.set_timeouts(patience, patience)?;
        let mut connection = Connection::over(socket, config.session(address)?);
        while connection.session.is_handshaking() {
            connection.write_out()?;
            connection.read_more()?;
        }
        match config.login() {
            Some(Login::Sasl(login)) => connection.call(&login)?,
            Some(Login::Password(login)) => connection.call(&login)?,
            None => {}
        }
        let timeouts = (Some(config.read_timeout), Some(config.write_timeout));
        connection.stream.set_timeouts(timeouts.0, timeouts.1)?;
        Ok(connection)
    }

    /// Whether the connection can be used again: nothing is outstanding, and the server has neither closed nor sent
    /// anything.
    pub(crate) fn is_reusable(&self) -> bool {
        self.session.is_idle() && self.stream.is_quiet()
    }
}

impl<S: Read + Write> Connection<S> {
    /// A connection over `stream`, which is connected; its timeouts are the stream's.
    pub fn over(stream: S, session: Session) -> Self {
        Connection {
            session,
            stream,
            in_flight: 0,
        }
    }

    /// The protocol of the connection.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.session.protocol()
    }

    /// The stream below the connection. Bytes that the caller reads or writes there are missing in the conversation.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The session of the connection, for callers that move the bytes by themselves.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The stream that was below the connection.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Whether every request has been answered and the connection has not failed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.session.is_idle()
    }

    /// Sends a request and waits for its outcome.
    ///
    /// # Errors
    ///
    /// As [`Error`] says. After an error that [closes](Error::closes), every call fails.
    pub fn call<R: Request + ?Sized>(&mut self, request: &R) -> Result<R::Output> {
        self.begin()?;
        let answer = if self.send(request)? {
            self.receive()?
        } else {
            Answer::Values(Vec::new())
        };
        self.session.outcome(request, answer)
    }

    /// Fails if an earlier request was not waited for: its answer would be taken for the next one's.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if self.session.outstanding() > 0 {
            self.session.fail();
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Sends a request. True if it will be answered; each such answer must be [received](Connection::receive), in
    /// order.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn send<R: Request + ?Sized>(&mut self, request: &R) -> Result<bool> {
        let is_answered = self.session.ask(request)?;
        self.write_out()?;
        Ok(is_answered)
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    ///
    /// As [`Error`] says; also [`Error::Closed`] if nothing is outstanding.
    pub fn receive(&mut self) -> Result<Answer> {
        if self.session.outstanding() == 0 {
            return Err(Error::Closed);
        }
        loop {
            if let Some(answer) = self.session.answer()? {
                if self.session.outstanding() == 0 {
                    self.in_flight = 0;
                }
                return Ok(answer);
            }
            self.read_more()?;
            self.write_out()?;
        }
    }

    /// The outcome of `request` that `answer` means.
    ///
    /// # Errors
    ///
    /// If the server refused the request, or the answer belongs to another request.
    pub fn outcome<R: Request + ?Sized>(
        &mut self,
        request: &R,
        answer: Answer,
    ) -> Result<R::Output> {
        self.session.outcome(request, answer)
    }

    /// Invalidates everything on this server.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn flush_all(&mut self) -> Result<()> {
        self.call(&request::Flush::default())
    }

    /// Statistics of the server: names and values in its order. `of` is empty for the general ones.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn stats(&mut self, of: &str) -> Result<Vec<(String, String)>> {
        self.call(&request::Stats { of })
    }

    /// The server's version.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn version(&mut self) -> Result<String> {
        self.call(&request::Version)
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn noop(&mut self) -> Result<()> {
        self.call(&request::Noop)
    }

    keyed_verbs!(self: [&mut self] [] []);

    /// Sends all requests that the session has been asked and that are not sent.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub fn write_out(&mut self) -> Result<()> {
        loop {
            let outgoing = self.session.outgoing()?;
            if outgoing.is_empty() {
                return Ok(());
            }
            match self.stream.write(outgoing) {
                Ok(0) => return Err(self.broke(io::ErrorKind::WriteZero.into(), Doing::Write)),
                Ok(bytes) => {
                    self.in_flight += bytes;
                    self.session.sent(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broke(error, Doing::Write)),
            }
        }
    }

    fn read_more(&mut self) -> Result<()> {
        loop {
            match self.stream.read(self.session.space()) {
                Ok(0) => return Err(self.broke(io::ErrorKind::UnexpectedEof.into(), Doing::Read)),
                Ok(bytes) => return self.session.filled(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broke(error, Doing::Read)),
            }
        }
    }

    fn broke(&mut self, error: io::Error, doing: Doing) -> Error {
        self.session.fail();
        of_io(error, doing)
    }
}

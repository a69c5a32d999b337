//! A blocking connection to one server.
//!
//! ```text
//!   call(&request)     ask, send, wait for the answer
//!   pipeline()         ask, ask, ask, send, wait for all answers
//! ```
//!
//! Of requests that are not answered, at most [`PIPELINE_BYTES`] are on their way at once, or one: so a server that does
//! not read on while its replies are not read never blocks both sides for ever.

use crate::answer::Answer;
use crate::config::{Config, Login};
use crate::error::{Doing, Error, Result};
use crate::net::{Socket, of_io};
use crate::request::{self, GetMany, Request};
use crate::session::Session;
use crate::verbs::keyed_verbs;
use crate::{Address, Item, Protocol};
use std::io::{self, Read, Write};

/// Bytes of unanswered requests on their way at once, if they are several. A server's receive buffer holds more.
pub(crate) const PIPELINE_BYTES: usize = 32 * 1024;
/// Keys of one request: at their longest they take less than [`PIPELINE_BYTES`].
pub(crate) const KEYS_AT_ONCE: usize = 100;

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
    session: Session,
    stream: S,
    /// Bytes of requests whose answers have not come.
    in_flight: usize,
}

impl Connection<Socket> {
    /// Connects, agrees on TLS and authenticates, as `config` says.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or does not accept the client.
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

    /// Connects from one of `ports`: where a source port chooses the shard.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`]; or none of the ports is free.
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

    /// Whether it can be used again: nothing is outstanding, and the server has neither closed nor sent anything.
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

    /// The protocol it speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.session.protocol()
    }

    /// What it is over. Bytes that are read or written there are missing in the conversation.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The conversation on it, for callers that move the bytes by themselves.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// What it was over.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Whether every request has been answered and the connection has not failed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.session.is_idle()
    }

    /// Sends a request and waits for what comes of it.
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

    /// Sends a request. True if it will be answered; each such answer must be [received](Connection::receive), in order.
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

    /// What an answer means to the request it belongs to.
    ///
    /// # Errors
    ///
    /// The server refused the request, or the answer belongs to another one.
    pub fn outcome<R: Request + ?Sized>(
        &mut self,
        request: &R,
        answer: Answer,
    ) -> Result<R::Output> {
        self.session.outcome(request, answer)
    }

    /// The values of several keys, in the order of the keys.
    ///
    /// # Errors
    ///
    /// As [`Error`] says; misses are none.
    pub fn get_many<K: AsRef<[u8]>>(&mut self, keys: &[K]) -> Result<Vec<Option<Item>>> {
        let mut pipeline = self.pipeline()?;
        let mut tickets = Vec::with_capacity(keys.len().div_ceil(KEYS_AT_ONCE));
        for keys in keys.chunks(KEYS_AT_ONCE) {
            tickets.push(pipeline.ask(GetMany::new(keys))?);
        }
        let mut answers = pipeline.finish()?;
        let mut items = Vec::with_capacity(keys.len());
        for ticket in tickets {
            items.extend(answers.take(ticket)?);
        }
        Ok(items)
    }

    /// Begins a pipeline: requests that are sent together.
    ///
    /// # Errors
    ///
    /// The connection has failed before.
    pub fn pipeline(&mut self) -> Result<Pipeline<'_, S>> {
        self.begin()?;
        Ok(Pipeline {
            connection: self,
            answers: Vec::new(),
            asked: 0,
        })
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

/// Requests that are sent together, and answered in order. Dropped before it is finished, it closes the connection.
///
/// ```no_run
/// use corecached_client::{Config, Connection, request::{Arith, Get}};
///
/// let mut connection = Connection::open("127.0.0.1:11211", &Config::new())?;
/// let mut pipeline = connection.pipeline()?;
/// let page = pipeline.ask(Get::new("page"))?;
/// let views = pipeline.ask(Arith::incr("views", 1))?;
/// let mut answers = pipeline.finish()?;
/// let (page, views) = (answers.take(page)?, answers.take(views)?);
/// # let _ = (page, views);
/// # Ok::<(), corecached_client::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is waited for until it is finished"]
pub struct Pipeline<'c, S: Read + Write = Socket> {
    connection: &'c mut Connection<S>,
    answers: Vec<Option<Answer>>,
    asked: usize,
}

impl<S: Read + Write> Pipeline<'_, S> {
    /// Adds a request. Its ticket gives what comes of it, once the pipeline is finished.
    ///
    /// # Errors
    ///
    /// The request cannot be sent; or the connection fails, as earlier requests are sent where they are many.
    pub fn ask<R: Request>(&mut self, request: R) -> Result<Ticket<R>> {
        let session = &mut self.connection.session;
        let before = session.unsent();
        let is_answered = session.ask(&request)?;
        let added = session.unsent() - before;
        let index = self.asked;
        self.asked += usize::from(is_answered);
        if self.connection.in_flight + before + added > PIPELINE_BYTES {
            // What was asked before is answered before more is sent.
            session.hold_back(added);
            self.connection.write_out()?;
            self.drain(usize::from(is_answered))?;
            self.connection.session.release();
        }
        Ok(Ticket {
            index: is_answered.then_some(index),
            request,
        })
    }

    /// Sends what is not sent, and waits for all answers.
    ///
    /// # Errors
    ///
    /// The connection failed: nothing is known about any of the requests.
    pub fn finish(mut self) -> Result<Answers> {
        self.connection.write_out()?;
        self.drain(0)?;
        Ok(Answers {
            answers: std::mem::take(&mut self.answers),
        })
    }

    /// Waits for the answers to all requests but the last `unsent`, which are held back.
    fn drain(&mut self, unsent: usize) -> Result<()> {
        while self.connection.session.outstanding() > unsent {
            let answer = self.connection.receive()?;
            self.answers.push(Some(answer));
        }
        self.connection.in_flight = 0;
        Ok(())
    }
}

/// What comes of one request of a pipeline.
#[derive(Debug)]
#[must_use = "the outcome of the request is in the answers"]
pub struct Ticket<R> {
    /// Its place among the answered requests; `None` if it has no answer.
    pub(crate) index: Option<usize>,
    pub(crate) request: R,
}

/// The answers to a pipeline.
#[derive(Debug)]
pub struct Answers {
    pub(crate) answers: Vec<Option<Answer>>,
}

impl Answers {
    /// What came of a request.
    ///
    /// # Errors
    ///
    /// The server refused it; or the answers are not those of the ticket's pipeline, which is an [`Error::Protocol`].
    pub fn take<R: Request>(&mut self, ticket: Ticket<R>) -> Result<R::Output> {
        let answer = match ticket.index {
            Some(index) => self.answers.get_mut(index).and_then(Option::take),
            None => Some(Answer::Values(Vec::new())),
        };
        let answer = answer.ok_or_else(|| {
            let what = "a ticket of another pipeline".to_owned();
            Error::Protocol(crate::ProtocolError::Shifted(what))
        })?;
        ticket.request.read(answer)
    }
}

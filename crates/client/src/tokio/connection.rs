//! An async connection to one server. The remarks on the blocking connection hold here too.
//!
//! ```text
//!   call(&request)     ask, send, wait for the answer
//!   pipeline()         ask, ask, ask, send, wait for all answers
//! ```

use super::socket::{Socket, within};
use crate::answer::Answer;
use crate::config::{Config, Login};
use crate::error::{Doing, Error, Result};
use crate::limits::{KEYS_AT_ONCE, PIPELINE_BYTES};
use crate::net::of_io;
use crate::pipeline::{Answers, Ticket};
use crate::request::{self, GetMany, Request};
use crate::session::Session;
use crate::verbs::keyed_verbs;
use crate::{Address, Item, Protocol};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// An async connection.
///
/// ```no_run
/// use corecached_client::{Config, tokio::Connection};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), corecached_client::Error> {
/// let mut connection = Connection::open("127.0.0.1:11211", &Config::new()).await?;
/// connection.set("greeting", "hello", Duration::from_secs(60)).await?;
/// assert_eq!(connection.incr("greetings", 1).await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Connection<S = Socket> {
    session: Session,
    stream: S,
    read_timeout: Duration,
    write_timeout: Duration,
    /// Bytes of requests whose answers have not come.
    in_flight: usize,
}

impl Connection<Socket> {
    /// Connects, agrees on TLS and authenticates, as `config` says.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, or does not accept the client.
    pub async fn open<A>(address: A, config: &Config) -> Result<Self>
    where
        A: TryInto<Address>,
        Error: From<A::Error>,
    {
        Self::open_at(&address.try_into()?, None, config).await
    }

    pub(super) async fn open_at(
        address: &Address,
        from: Option<Vec<u16>>,
        config: &Config,
    ) -> Result<Self> {
        let socket = Socket::open(address, from, config.connect_timeout).await?;
        let mut connection = Connection::over(socket, config.session(address)?, config);
        let patience = config.connect_timeout;
        within(patience, Doing::Connect, connection.greet(config)).await??;
        Ok(connection)
    }

    async fn greet(&mut self, config: &Config) -> Result<()> {
        while self.session.is_handshaking() {
            self.write_out().await?;
            self.read_more().await?;
        }
        match config.login() {
            Some(Login::Sasl(login)) => self.call(&login).await,
            Some(Login::Password(login)) => self.call(&login).await,
            None => Ok(()),
        }
    }

    /// Whether the connection can be used again: nothing is outstanding, and the server has neither closed nor sent
    /// anything.
    pub(super) fn is_reusable(&self) -> bool {
        self.session.is_idle() && self.stream.is_quiet()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection over `stream`, which is connected, with the timeouts of `config`.
    pub fn over(stream: S, session: Session, config: &Config) -> Self {
        Connection {
            session,
            stream,
            read_timeout: config.read_timeout,
            write_timeout: config.write_timeout,
            in_flight: 0,
        }
    }

    /// The protocol of the connection.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.session.protocol()
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
    pub async fn call<R: Request + ?Sized>(&mut self, request: &R) -> Result<R::Output> {
        self.begin()?;
        let answer = if self.send(request).await? {
            self.receive().await?
        } else {
            Answer::Values(Vec::new())
        };
        self.session.outcome(request, answer)
    }

    /// Fails if an earlier request was not waited for: its answer would be taken for the next one's.
    pub(super) fn begin(&mut self) -> Result<()> {
        if self.session.outstanding() > 0 || self.session.unsent() > 0 {
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
    pub async fn send<R: Request + ?Sized>(&mut self, request: &R) -> Result<bool> {
        let is_answered = self.session.ask(request)?;
        self.write_out().await?;
        Ok(is_answered)
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    ///
    /// As [`Error`] says; also [`Error::Closed`] if nothing is outstanding.
    pub async fn receive(&mut self) -> Result<Answer> {
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
            self.read_more().await?;
            self.write_out().await?;
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

    /// The values of several keys, in the order of the keys.
    ///
    /// # Errors
    ///
    /// As [`Error`] says; a miss is no error.
    pub async fn get_many<K: AsRef<[u8]>>(&mut self, keys: &[K]) -> Result<Vec<Option<Item>>> {
        let mut pipeline = self.pipeline()?;
        let mut tickets = Vec::with_capacity(keys.len().div_ceil(KEYS_AT_ONCE));
        for keys in keys.chunks(KEYS_AT_ONCE) {
            tickets.push(pipeline.ask(GetMany::new(keys)).await?);
        }
        let mut answers = pipeline.finish().await?;
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
    /// If the connection has failed before.
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
    pub async fn flush_all(&mut self) -> Result<()> {
        self.call(&request::Flush::default()).await
    }

    /// Statistics of the server: names and values in its order. `of` is empty for the general ones.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub async fn stats(&mut self, of: &str) -> Result<Vec<(String, String)>> {
        self.call(&request::Stats { of }).await
    }

    /// The server's version.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub async fn version(&mut self) -> Result<String> {
        self.call(&request::Version).await
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    ///
    /// As [`Error`] says.
    pub async fn noop(&mut self) -> Result<()> {
        self.call(&request::Noop).await
    }

    keyed_verbs!(self: [&mut self] [async] [.await]);

    async fn write_out(&mut self) -> Result<()> {
        loop {
            let outgoing = self.session.outgoing()?;
            if outgoing.is_empty() {
                return Ok(());
            }
            let write = self.stream.write(outgoing);
            match within(self.write_timeout, Doing::Write, write).await {
                Ok(Ok(0)) => return Err(self.broke(io::ErrorKind::WriteZero.into(), Doing::Write)),
                Ok(Ok(bytes)) => {
                    self.in_flight += bytes;
                    self.session.sent(bytes);
                }
                Ok(Err(error)) => return Err(self.broke(error, Doing::Write)),
                Err(late) => {
                    self.session.fail();
                    return Err(late);
                }
            }
        }
    }

    async fn read_more(&mut self) -> Result<()> {
        let read = self.stream.read(self.session.space());
        match within(self.read_timeout, Doing::Read, read).await {
            Ok(Ok(0)) => Err(self.broke(io::ErrorKind::UnexpectedEof.into(), Doing::Read)),
            Ok(Ok(bytes)) => self.session.filled(bytes),
            Ok(Err(error)) => Err(self.broke(error, Doing::Read)),
            Err(late) => {
                self.session.fail();
                Err(late)
            }
        }
    }

    fn broke(&mut self, error: io::Error, doing: Doing) -> Error {
        self.session.fail();
        of_io(error, doing)
    }
}

/// Requests that are sent together, and answered in order. A pipeline that is dropped before it is finished closes the
/// connection.
#[derive(Debug)]
#[must_use = "nothing is waited for until it is finished"]
pub struct Pipeline<'c, S = Socket> {
    connection: &'c mut Connection<S>,
    answers: Vec<Option<Answer>>,
    asked: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipeline<'_, S> {
    /// Adds a request. The returned ticket takes the request's outcome from the answers, once the pipeline is finished.
    ///
    /// # Errors
    ///
    /// If the request cannot be sent; or if the connection fails while earlier requests are sent, which happens here
    /// when there are many.
    pub async fn ask<R: Request>(&mut self, request: R) -> Result<Ticket<R>> {
        let session = &mut self.connection.session;
        let before = session.unsent();
        let is_answered = session.ask(&request)?;
        let added = session.unsent() - before;
        let index = self.asked;
        self.asked += usize::from(is_answered);
        if self.connection.in_flight + before + added > PIPELINE_BYTES {
            // Earlier requests are answered before more is sent.
            session.hold_back(added);
            self.connection.write_out().await?;
            self.drain(usize::from(is_answered)).await?;
            self.connection.session.release();
        }
        Ok(Ticket {
            index: is_answered.then_some(index),
            request,
        })
    }

    /// Sends the unsent requests, and waits for all answers.
    ///
    /// # Errors
    ///
    /// If the connection failed: then nothing is known about any of the requests.
    pub async fn finish(mut self) -> Result<Answers> {
        self.connection.write_out().await?;
        self.drain(0).await?;
        Ok(Answers {
            answers: std::mem::take(&mut self.answers),
        })
    }

    /// Waits for the answers to all requests but the last `unsent`, which are held back.
    async fn drain(&mut self, unsent: usize) -> Result<()> {
        while self.connection.session.outstanding() > unsent {
            let answer = self.connection.receive().await?;
            self.answers.push(Some(answer));
        }
        self.connection.in_flight = 0;
        Ok(())
    }
}

//! Pipelines: requests that are sent together.
//!
//! ```text
//!   ask(a) -> ticket a    ask(b) -> ticket b    finish() -> answers    answers.take(ticket b) -> what came of b
//! ```

use crate::answer::Answer;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::limits::{KEYS_AT_ONCE, PIPELINE_BYTES};
use crate::net::Socket;
use crate::request::{GetMany, Item, Request};
use std::io::{Read, Write};

/// Requests that are sent together, and answered in order. A pipeline that is dropped before it is finished closes the
/// connection.
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

impl<S: Read + Write> Connection<S> {
    /// The values of several keys, in the order of the keys.
    ///
    /// # Errors
    ///
    /// As [`Error`] says; a miss is no error.
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
    /// If the connection has failed before.
    pub fn pipeline(&mut self) -> Result<Pipeline<'_, S>> {
        self.begin()?;
        Ok(Pipeline::over(self))
    }
}

impl<'c, S: Read + Write> Pipeline<'c, S> {
    fn over(connection: &'c mut Connection<S>) -> Self {
        Pipeline {
            connection,
            answers: Vec::new(),
            asked: 0,
        }
    }

    /// Adds a request. The returned ticket takes the request's outcome from the answers, once the pipeline is finished.
    ///
    /// # Errors
    ///
    /// If the request cannot be sent; or if the connection fails while earlier requests are sent, which happens here
    /// when there are many.
    pub fn ask<R: Request>(&mut self, request: R) -> Result<Ticket<R>> {
        let session = &mut self.connection.session;
        let before = session.unsent();
        let is_answered = session.ask(&request)?;
        let added = session.unsent() - before;
        let index = self.asked;
        self.asked += usize::from(is_answered);
        if self.connection.in_flight + before + added > PIPELINE_BYTES {
            // Earlier requests are answered before more is sent.
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

    /// Sends the unsent requests, and waits for all answers.
    ///
    /// # Errors
    ///
    /// If the connection failed: then nothing is known about any of the requests.
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

/// The ticket of one request of a pipeline: it takes the request's outcome from the [`Answers`].
#[derive(Debug)]
#[must_use = "the outcome of the request is in the answers"]
pub struct Ticket<R> {
    /// The request's place among the answered requests; `None` if it has no answer.
    pub(crate) index: Option<usize>,
    pub(crate) request: R,
}

/// The answers to a pipeline.
#[derive(Debug)]
pub struct Answers {
    pub(crate) answers: Vec<Option<Answer>>,
}

impl Answers {
    /// Takes the outcome of a request.
    ///
    /// # Errors
    ///
    /// If the server refused the request; or if the answers are not those of the ticket's pipeline, which is an
    /// [`Error::Protocol`].
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

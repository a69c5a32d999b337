//! Requests that wait for their replies, and how a reply is taken apart.
//!
//! ```text
//! text      classic lines and values
//! meta      meta commands
//! binary    packets
//! ```

use crate::history::History;
use crate::op::{Answer, Verb};
use crate::wire::{Wire, line};
use crate::{binary, meta, text};

/// The form of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// A line.
    Line,
    /// Values of some keys, perhaps with cas uniques.
    Values(Vec<usize>, bool),
    /// The line of a meta command on a key, perhaps with a value and with an opaque.
    Meta(usize, Option<String>),
    /// A packet about a key.
    Packet(usize),
    /// To a command of an operator: a line that begins with one of these, or lines up to `END`.
    Told(&'static [&'static str]),
}

/// How the reply to a request ends that may have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// It has none, whatever happens: `noreply`. Behind it `mn` was sent.
    Always,
    /// It has none if it went as asked; behind it, `mn` or a NOOP.
    IfDone,
}

/// A request that waits for its reply, and its operations by their numbers in the history.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) form: Form,
    pub(crate) ops: Vec<usize>,
    pub(crate) quiet: Option<Quiet>,
}

/// What it means that a quiet request was not answered.
fn silence(verb: Verb) -> Answer {
    match verb {
        Verb::Get(_) => Answer::Absent,
        Verb::Store(_) => Answer::Stored {
            cas: None,
            len: None,
        },
        Verb::Delete(_) => Answer::Deleted,
        Verb::Count(_) => Answer::Number {
            value: None,
            cas: None,
            ttl: None,
        },
        Verb::Touch(_) => Answer::Touched,
        Verb::Flush(_) => Answer::Flushed,
    }
}

impl Request {
    /// Takes the reply; returns its length, and the answers to the operations. `None` if not all of it has come.
    pub(crate) fn take(
        &self,
        bytes: &[u8],
        history: &History,
        wire: &Wire,
    ) -> Option<(usize, Vec<Answer>)> {
        let Some(quiet) = self.quiet else {
            return self.reply(bytes, history, wire);
        };
        let mark = match self.form {
            Form::Packet(_) => binary::NOOP_REPLY,
            _ => b"MN\r\n",
        };
        if bytes.len() < mark.len() {
            return None;
        }
        if bytes.starts_with(mark) {
            let verbs = self.ops.iter().map(|&op| history.verb(op));
            let answers = verbs.map(|verb| match quiet {
                Quiet::Always => Answer::Unknown,
                Quiet::IfDone => silence(verb),
            });
            return Some((mark.len(), answers.collect()));
        }
        assert_eq!(quiet, Quiet::IfDone, "noreply was answered");
        let (len, answers) = self.reply(bytes, history, wire)?;
        let rest = bytes.get(len..len + mark.len())?;
        assert_eq!(rest, mark, "the reply to the mark");
        Some((len + mark.len(), answers))
    }

    fn reply(&self, bytes: &[u8], history: &History, wire: &Wire) -> Option<(usize, Vec<Answer>)> {
        match &self.form {
            Form::Line => {
                let line = line(bytes)?;
                let answer = text::answer(line);
                Some((line.len() + 2, vec![answer; self.ops.len()]))
            }
            Form::Values(keys, with_cas) => text::values(keys, *with_cas, bytes, wire),
            Form::Meta(key, opaque) => {
                let verb = history.verb(self.ops[0]);
                let (len, answer) = meta::answer(verb, *key, opaque.as_deref(), bytes, wire)?;
                Some((len, vec![answer]))
            }
            Form::Packet(key) => {
                let verb = history.verb(self.ops[0]);
                let (len, answer) = binary::answer(verb, *key, bytes, wire)?;
                Some((len, vec![answer; self.ops.len()]))
            }
            Form::Told(beginnings) => Some((told(beginnings, bytes)?, Vec::new())),
        }
    }
}

/// The length of the reply to a command of an operator.
fn told(beginnings: &[&str], bytes: &[u8]) -> Option<usize> {
    let first = line(bytes)?;
    if !first.starts_with("STAT ") && first != "END" {
        let is_known = beginnings.iter().any(|known| first.starts_with(known));
        assert!(is_known, "{first:?} is none of {beginnings:?}");
        return Some(first.len() + 2);
    }
    let mut len = 0;
    loop {
        let line = line(&bytes[len..])?;
        len += line.len() + 2;
        if line == "END" {
            return Some(len);
        }
        assert!(line.starts_with("STAT "), "{line:?}");
    }
}

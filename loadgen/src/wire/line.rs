//! Replies in lines: classic text and meta, told apart by their first word, so that one connection can mix them.
//!
//! ```text
//!   Value, MetaValue  ->  value              Status, Reply  ->  done
//!   Data              ->  body, value_end    the value of a meta get: done too, unless quiet gets are under way
//! ```
//!
//! `corecached_client` reads the lines; this file decides what they mean for the oldest request.

use super::fault::ProtocolError;
use super::reply::{ErrorKind, Kind, ReplySink, Shape, Status, ValueHeader};
use corecached_client::wire::Carry;
use corecached_client::wire::line::{
    ErrorKind as WireError, Malformed, Part, Reply, ReplyFlags, ReplyParser, Status as MetaStatus,
};

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct LineParser {
    parser: ReplyParser,
    carry: Carry,
    /// Whether the value that is coming ends the reply.
    ends_reply: bool,
}

impl LineParser {
    /// Takes the next received bytes.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl ReplySink) -> Result<(), ProtocolError> {
        let ends_reply = &mut self.ends_reply;
        self.carry.feed(
            &mut self.parser,
            bytes,
            |part, raw| take(part, raw, ends_reply, sink),
            malformed,
        )
    }
}

#[inline]
fn take(
    part: Part<'_>,
    raw: &[u8],
    ends_reply: &mut bool,
    sink: &mut impl ReplySink,
) -> Result<(), ProtocolError> {
    if let Part::Data(piece) = part {
        sink.body(piece.bytes);
        if piece.last {
            sink.value_end();
            if *ends_reply {
                return sink.done(Status::Ok, Kind::MetaValue);
            }
        }
        return Ok(());
    }
    let Some(shape) = sink.shape() else {
        return Err(ProtocolError::unasked(raw.trim_ascii_end()));
    };
    match part {
        Part::Value(header) => {
            *ends_reply = false;
            sink.value(&ValueHeader {
                kind: Kind::Retrieval,
                key: Some(header.key),
                opaque: None,
                bytes: length(header.value_bytes, raw)?,
                cas_unique: header.cas.unwrap_or(0),
            })
        }
        Part::MetaValue { value_bytes, flags } => {
            *ends_reply = shape == Shape::One;
            let (key, cas_unique) = key_and_cas(&flags);
            sink.value(&ValueHeader {
                kind: Kind::MetaValue,
                key,
                opaque: None,
                bytes: length(value_bytes, raw)?,
                cas_unique,
            })
        }
        part => done(&part, raw, shape, sink),
    }
}

fn length(value_bytes: usize, raw: &[u8]) -> Result<u32, ProtocolError> {
    u32::try_from(value_bytes).map_err(|_| ProtocolError::new("a value of more than 4 GiB", raw))
}

fn key_and_cas<'a>(flags: &ReplyFlags<'a>) -> (Option<&'a [u8]>, u64) {
    let (mut key, mut cas_unique) = (None, 0);
    for flag in flags.iter() {
        match flag.letter {
            b'k' => key = Some(flag.argument),
            b'c' => cas_unique = flags.number(b'c').unwrap_or(0),
            _ => {}
        }
    }
    (key, cas_unique)
}

/// A line that ends a reply.
#[inline]
fn done(
    part: &Part<'_>,
    raw: &[u8],
    shape: Shape,
    sink: &mut impl ReplySink,
) -> Result<(), ProtocolError> {
    let (status, kind) = match part {
        Part::Reply(Reply::MetaNoop) => (Status::Ok, Kind::Meta),
        Part::Reply(Reply::Error { kind, message }) => {
            let kind = error_kind(*kind, message).ok_or_else(|| not_a_reply(raw))?;
            sink.error_text(raw.trim_ascii_end());
            (Status::Error(kind), Kind::Any)
        }
        _ if shape == Shape::UntilNoop => {
            let what = "an unexpected reply between quiet gets";
            return Err(ProtocolError::new(what, raw.trim_ascii_end()));
        }
        Part::Status { status, .. } => match status {
            MetaStatus::Hd => (Status::Ok, Kind::Meta),
            MetaStatus::En | MetaStatus::Nf => (Status::NotFound, Kind::Meta),
            MetaStatus::Ns => (Status::NotStored, Kind::Meta),
            MetaStatus::Ex => (Status::Exists, Kind::Meta),
        },
        Part::Reply(reply) => match reply {
            Reply::End => (Status::Ok, Kind::Retrieval),
            Reply::Stored => (Status::Ok, Kind::Storage),
            Reply::Deleted => (Status::Ok, Kind::Deleted),
            Reply::Touched => (Status::Ok, Kind::Touched),
            Reply::Ok => (Status::Ok, Kind::Any),
            Reply::NotFound => (Status::NotFound, Kind::NotFound),
            Reply::NotStored => (Status::NotStored, Kind::Storage),
            Reply::Exists => (Status::Exists, Kind::Storage),
            Reply::Number(_) => (Status::Ok, Kind::Number),
            _ => return Err(not_a_reply(raw)),
        },
        _ => return Err(not_a_reply(raw)),
    };
    sink.done(status, kind)
}

/// The status that an error line means; `None` if no request is answered with such a line.
#[cold]
fn error_kind(kind: WireError, message: &[u8]) -> Option<ErrorKind> {
    match kind {
        WireError::Command => message.is_empty().then_some(ErrorKind::UnknownCommand),
        WireError::Client => Some(ErrorKind::Client),
        WireError::Server if message.starts_with(b"object too large") => Some(ErrorKind::TooLarge),
        WireError::Server if message.starts_with(b"out of memory") => Some(ErrorKind::OutOfMemory),
        WireError::Server => Some(ErrorKind::Server),
    }
}

#[cold]
fn not_a_reply(raw: &[u8]) -> ProtocolError {
    let what = "not a reply of memcached's text protocol";
    ProtocolError::new(what, raw.trim_ascii_end())
}

#[cold]
fn malformed(error: Malformed, bytes: &[u8]) -> ProtocolError {
    let what = match error {
        Malformed::LineTooLong => "a line without an end",
        Malformed::ValueLine => "a VALUE or VA line that cannot be read",
        Malformed::ValueEnd => "a value that is longer than announced",
    };
    ProtocolError::new(what, bytes)
}

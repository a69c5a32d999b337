//! Replies in lines: classic text and meta, told apart by their first word, so that one connection can mix them.
//!
//! ```text
//!           VALUE, VA                  all bytes            CR LF
//!   Line ---------------> Body{left} -----------> Trailer ---------> Line
//!    ^  \__ any other line: done
//!    \____/
//! ```

use super::{ErrorKind, Kind, ProtocolError, ReplySink, Shape, Status, ValueHeader};
use memchr::memchr;

/// A reply line is at most a key, three numbers and an error text; more is not memcached.
const LINE_BYTES_MAX: usize = 2048;

/// The parser of one connection.
#[derive(Debug)]
pub struct LineParser {
    state: State,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Line,
    Body { left: usize, ends_reply: bool },
    Trailer { left: usize, ends_reply: bool },
}

impl Default for LineParser {
    fn default() -> Self {
        Self {
            state: State::Line,
            partial: Vec::with_capacity(LINE_BYTES_MAX),
        }
    }
}

impl LineParser {
    /// Takes the next received bytes.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        sink: &mut impl ReplySink,
    ) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Line => self.feed_line(bytes, sink)?,
                State::Body { left, ends_reply } => {
                    let (piece, rest) = bytes.split_at(left.min(bytes.len()));
                    sink.body(piece);
                    let left = left - piece.len();
                    self.state = if left == 0 {
                        State::Trailer {
                            left: 2,
                            ends_reply,
                        }
                    } else {
                        State::Body { left, ends_reply }
                    };
                    rest
                }
                State::Trailer { left, ends_reply } => {
                    self.feed_trailer(bytes, left, ends_reply, sink)?
                }
            };
        }
        Ok(())
    }

    fn feed_line<'a>(
        &mut self,
        bytes: &'a [u8],
        sink: &mut impl ReplySink,
    ) -> Result<&'a [u8], ProtocolError> {
        let Some(end) = memchr(b'\n', bytes) else {
            if self.partial.len() + bytes.len() > LINE_BYTES_MAX {
                return Err(ProtocolError::new("a line without an end", bytes));
            }
            self.partial.extend_from_slice(bytes);
            return Ok(&[]);
        };
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        if self.partial.is_empty() {
            self.state = handle_line(line, sink)?;
        } else if self.partial.len() + line.len() > LINE_BYTES_MAX {
            return Err(ProtocolError::new("a line without an end", &self.partial));
        } else {
            self.partial.extend_from_slice(line);
            self.state = handle_line(&self.partial, sink)?;
            self.partial.clear();
        }
        Ok(rest)
    }

    fn feed_trailer<'a>(
        &mut self,
        bytes: &'a [u8],
        left: usize,
        ends_reply: bool,
        sink: &mut impl ReplySink,
    ) -> Result<&'a [u8], ProtocolError> {
        let taken = left.min(bytes.len());
        let expected = &b"\r\n"[2 - left..2 - left + taken];
        if &bytes[..taken] != expected {
            return Err(ProtocolError::new(
                "a value that is longer than announced",
                bytes,
            ));
        }
        if taken < left {
            self.state = State::Trailer {
                left: left - taken,
                ends_reply,
            };
        } else {
            self.state = State::Line;
            sink.value_end();
            if ends_reply {
                sink.done(Status::Ok, Kind::MetaValue)?;
            }
        }
        Ok(&bytes[taken..])
    }
}

fn handle_line(line: &[u8], sink: &mut impl ReplySink) -> Result<State, ProtocolError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(shape) = sink.shape() else {
        return Err(ProtocolError::unasked(line));
    };
    if let Some(rest) = line.strip_prefix(b"VALUE ") {
        return value_line(line, rest, sink);
    }
    if let Some(rest) = line.strip_prefix(b"VA ") {
        return meta_value_line(line, rest, shape, sink);
    }
    let (status, kind) = match line {
        b"MN" => (Status::Ok, Kind::Meta),
        _ if shape == Shape::UntilNoop && !is_error(line) => {
            return Err(ProtocolError::new(
                "an unexpected reply between quiet gets",
                line,
            ));
        }
        b"END" => (Status::Ok, Kind::Retrieval),
        b"STORED" => (Status::Ok, Kind::Storage),
        b"HD" => (Status::Ok, Kind::Meta),
        b"DELETED" => (Status::Ok, Kind::Deleted),
        b"TOUCHED" => (Status::Ok, Kind::Touched),
        b"OK" => (Status::Ok, Kind::Any),
        b"NOT_FOUND" => (Status::NotFound, Kind::NotFound),
        b"EN" | b"NF" => (Status::NotFound, Kind::Meta),
        b"NOT_STORED" => (Status::NotStored, Kind::Storage),
        b"NS" => (Status::NotStored, Kind::Meta),
        b"EXISTS" => (Status::Exists, Kind::Storage),
        b"EX" => (Status::Exists, Kind::Meta),
        _ if line.starts_with(b"HD ") => (Status::Ok, Kind::Meta),
        _ if !line.is_empty()
            && line
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == b' ') =>
        {
            (Status::Ok, Kind::Number)
        }
        _ => match error_kind(line) {
            Some(kind) => {
                sink.error_text(line);
                (Status::Error(kind), Kind::Any)
            }
            None => {
                return Err(ProtocolError::new(
                    "not a reply of memcached's text protocol",
                    line,
                ));
            }
        },
    };
    sink.done(status, kind)?;
    Ok(State::Line)
}

fn is_error(line: &[u8]) -> bool {
    error_kind(line).is_some()
}

fn error_kind(line: &[u8]) -> Option<ErrorKind> {
    match line {
        b"ERROR" => Some(ErrorKind::UnknownCommand),
        _ if line.starts_with(b"CLIENT_ERROR") => Some(ErrorKind::Client),
        _ if line.starts_with(b"SERVER_ERROR object too large") => Some(ErrorKind::TooLarge),
        _ if line.starts_with(b"SERVER_ERROR out of memory") => Some(ErrorKind::OutOfMemory),
        _ if line.starts_with(b"SERVER_ERROR") => Some(ErrorKind::Server),
        _ => None,
    }
}

/// `VALUE <key> <flags> <bytes>[ <cas unique>]`; the reply ends with `END`.
fn value_line(line: &[u8], rest: &[u8], sink: &mut impl ReplySink) -> Result<State, ProtocolError> {
    let mut words = rest.split(|&byte| byte == b' ');
    let key = words.next();
    let _client_flags = words.next();
    let bytes = words.next().and_then(number);
    let cas_unique = words.next().and_then(number).unwrap_or(0);
    let (Some(key), Some(bytes)) = (key, bytes) else {
        return Err(ProtocolError::new("a VALUE line that cannot be read", line));
    };
    begin_value(Some(key), bytes, cas_unique, false, line, sink)
}

/// `VA <bytes> <flag>*`; the reply ends with its value unless quiet gets follow.
fn meta_value_line(
    line: &[u8],
    rest: &[u8],
    shape: Shape,
    sink: &mut impl ReplySink,
) -> Result<State, ProtocolError> {
    let mut words = rest.split(|&byte| byte == b' ');
    let Some(bytes) = words.next().and_then(number) else {
        return Err(ProtocolError::new("a VA line that cannot be read", line));
    };
    let (mut key, mut cas_unique) = (None, 0);
    for word in words {
        match word.split_first() {
            Some((b'k', argument)) => key = Some(argument),
            Some((b'c', argument)) => cas_unique = number(argument).unwrap_or(0),
            _ => {}
        }
    }
    begin_value(key, bytes, cas_unique, shape == Shape::One, line, sink)
}

fn begin_value(
    key: Option<&[u8]>,
    bytes: u64,
    cas_unique: u64,
    ends_reply: bool,
    line: &[u8],
    sink: &mut impl ReplySink,
) -> Result<State, ProtocolError> {
    let Ok(bytes) = u32::try_from(bytes) else {
        return Err(ProtocolError::new("a value of more than 4 GiB", line));
    };
    sink.value(&ValueHeader {
        kind: if line.starts_with(b"VA ") {
            Kind::MetaValue
        } else {
            Kind::Retrieval
        },
        key,
        opaque: None,
        bytes,
        cas_unique,
    })?;
    Ok(match bytes {
        0 => State::Trailer {
            left: 2,
            ends_reply,
        },
        left => State::Body {
            left: left as usize,
            ends_reply,
        },
    })
}

#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

//! One answer to one request, the same type for all protocols.
//!
//! ```text
//!   text     STORED DELETED TOUCHED OK   END       VALUE ...   12        NOT_STORED  EXISTS  NOT_FOUND
//!   meta     HD                          -         VA ...      VA ...    NS          EX      NF EN
//!   binary   status 0                    no-op     GET, 0      8 bytes   5           2       1
//!            '------ Done -----'         '- Values -'          Number    NotStored   Exists  Miss
//! ```
//!
//! Only the request knows whether a number in a meta reply is a value or a counter; so the number stays a value here.

use crate::error::{Refusal, RefusalKind};
use crate::wire::binary;
use crate::wire::line::{ErrorKind, Reply, ReplyFlags, Status};
use bytes::Bytes;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Success; or a hit whose value was not asked for.
    Done(Attributes),
    /// The values that were found, in the order of the request's keys.
    Values(Vec<Hit>),
    /// The number after incr or decr.
    Number(u64),
    /// The item is not there.
    Miss,
    /// Not stored, since the condition does not hold.
    NotStored,
    /// Not done, since the cas unique is another.
    Exists,
    /// The server's version.
    Version(String),
    /// Names and values, in the server's order.
    Stats(Vec<(String, String)>),
    /// The server refused the request.
    Refused(Refusal),
    /// Any other line, such as the answer of an admin command.
    Line(String),
}

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The key, if the reply carries it, as in the text protocol.
    pub key: Option<Bytes>,
    /// The index of the hit's key among the request's keys, if the reply tells it by its opaque.
    pub index: Option<usize>,
    /// The value.
    pub value: Bytes,
    /// Further attributes in the reply.
    pub attributes: Attributes,
}

/// The attributes of an item in a reply, as far as the request asked for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// Client flags.
    pub client_flags: Option<u32>,
    /// Cas unique.
    pub cas: Option<u64>,
    /// Seconds that the item has left to live; -1 for ever.
    pub ttl_s: Option<i64>,
    /// Length of the value.
    pub value_bytes: Option<u64>,
    /// Whether the item had been fetched before.
    pub fetched: Option<bool>,
    /// Seconds since the item's last access.
    pub idle_s: Option<u64>,
    /// This client is the one to fill or refresh the item.
    pub won: bool,
    /// The item is stale.
    pub stale: bool,
    /// Another client fills or refreshes the item already.
    pub taken: bool,
}

impl Attributes {
    pub(crate) fn of_flags(flags: &ReplyFlags<'_>) -> Self {
        let mut attributes = Attributes::default();
        for flag in flags.iter() {
            let word = ReplyFlagsWord(flag.argument);
            match flag.letter {
                b'f' => attributes.client_flags = word.unsigned().map(|flags| flags as u32),
                b'c' => attributes.cas = word.unsigned(),
                b't' => attributes.ttl_s = word.signed(),
                b's' => attributes.value_bytes = word.unsigned(),
                b'h' => attributes.fetched = word.unsigned().map(|hit| hit != 0),
                b'l' => attributes.idle_s = word.unsigned(),
                b'W' => attributes.won = true,
                b'X' => attributes.stale = true,
                b'Z' => attributes.taken = true,
                _ => {}
            }
        }
        attributes
    }
}

/// The argument of a flag.
struct ReplyFlagsWord<'a>(&'a [u8]);

impl ReplyFlagsWord<'_> {
    fn unsigned(&self) -> Option<u64> {
        corecached_protocol::number::c_u64(self.0)
    }

    fn signed(&self) -> Option<i64> {
        corecached_protocol::number::c_i64(self.0)
    }
}

impl Refusal {
    /// The refusal that an error line means.
    #[must_use]
    pub fn of_line(kind: ErrorKind, message: &[u8]) -> Self {
        let text = String::from_utf8_lossy(message).into_owned();
        let kind = match kind {
            ErrorKind::Command if message.is_empty() => RefusalKind::UnknownCommand,
            ErrorKind::Command => RefusalKind::Client,
            // memcached says CLIENT_ERROR and SERVER_ERROR to the same fault in different commands.
            _ => Self::kind_of_text(&text).unwrap_or(match kind {
                ErrorKind::Server => RefusalKind::Server,
                _ => RefusalKind::Client,
            }),
        };
        Refusal { kind, text }
    }

    fn kind_of_text(text: &str) -> Option<RefusalKind> {
        let lower = text.to_ascii_lowercase();
        if lower.contains("too large") {
            Some(RefusalKind::TooLarge)
        } else if lower.contains("out of memory") {
            Some(RefusalKind::OutOfMemory)
        } else if lower.contains("non-numeric") {
            Some(RefusalKind::NotANumber)
        } else {
            None
        }
    }

    fn of_packet(reply: &binary::Reply<'_>) -> Self {
        use binary::Status as S;
        let text = String::from_utf8_lossy(reply.value).into_owned();
        let kind = match reply.status {
            Ok(S::TooLarge) => RefusalKind::TooLarge,
            Ok(S::NonNumeric) => RefusalKind::NotANumber,
            Ok(S::UnknownCommand) => RefusalKind::UnknownCommand,
            Ok(S::OutOfMemory) => RefusalKind::OutOfMemory,
            Ok(S::Invalid | S::AuthError | S::AuthContinue) => RefusalKind::Client,
            _ => RefusalKind::Server,
        };
        let text = match reply.status {
            _ if !text.is_empty() => text,
            Ok(status) => format!("{status:?}"),
            Err(code) => format!("status {code:#x}"),
        };
        Refusal { kind, text }
    }
}

impl Answer {
    /// The answer in a single line, for a line without values or statistics before it.
    pub(crate) fn of_reply(reply: &Reply<'_>) -> Self {
        match *reply {
            Reply::Stored | Reply::Deleted | Reply::Touched | Reply::Ok | Reply::Reset => {
                Answer::Done(Attributes::default())
            }
            Reply::MetaNoop => Answer::Done(Attributes::default()),
            Reply::End => Answer::Values(Vec::new()),
            Reply::NotStored => Answer::NotStored,
            Reply::Exists => Answer::Exists,
            Reply::NotFound => Answer::Miss,
            Reply::Number(number) => Answer::Number(number),
            Reply::Version(version) => Answer::Version(text(version)),
            Reply::Stat { name, value } => Answer::Stats(vec![(text(name), text(value))]),
            Reply::Error { kind, message } => Answer::Refused(Refusal::of_line(kind, message)),
            Reply::Other(line) => Answer::Line(text(line)),
        }
    }

    pub(crate) fn of_status(status: Status, flags: &ReplyFlags<'_>) -> Self {
        match status {
            Status::Hd => Answer::Done(Attributes::of_flags(flags)),
            Status::En | Status::Nf => Answer::Miss,
            Status::Ns => Answer::NotStored,
            Status::Ex => Answer::Exists,
        }
    }

    /// The answer in a single packet, for a packet without values or statistics before it.
    pub(crate) fn of_packet(reply: &binary::Reply<'_>) -> Self {
        use binary::{Opcode as O, Status as S};
        match (reply.status, O::from_byte(reply.head.opcode)) {
            (Ok(S::Ok), Some(O::Incr | O::Decr)) => {
                reply.number().map_or(Answer::Miss, Answer::Number)
            }
            (Ok(S::Ok), Some(O::Version)) => Answer::Version(text(reply.value)),
            (Ok(S::Ok), _) => Answer::Done(Attributes {
                cas: Some(reply.cas),
                ..Attributes::default()
            }),
            // Here the condition of a store failed, not the comparison of a cas: both come with the same status.
            (Ok(S::Exists), Some(O::Add)) | (Ok(S::NotStored), _) => Answer::NotStored,
            (Ok(S::Exists), _) => Answer::Exists,
            (Ok(S::NotFound), _) => Answer::Miss,
            _ => Answer::Refused(Refusal::of_packet(reply)),
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

//! Replies of the classic text protocol.

use corecached_client::wire::Step;
use corecached_client::wire::line::{Part, Reply, ReplyParser, ValueHeader};
use corecached_protocol::reply;
use corecached_protocol::text::{
    Keys, Parsed, Request, StatsRequest, StoreRequest, StoreVerb, parse,
};

use super::Exchange;

/// Checks the replies of one connection.
///
/// # Panics
/// If they are not what the requests ask for.
pub fn check(exchange: &Exchange<'_>) {
    let mut replies = Replies {
        bytes: exchange.received,
        parser: ReplyParser::new(),
    };
    let mut rest = exchange.sent;
    while let Some(used) = one_request(rest, &mut replies, exchange.closed) {
        rest = &rest[used..];
    }
    assert!(
        replies.bytes.is_empty(),
        "nobody asked for {}",
        replies.bytes.escape_ascii()
    );
}

/// Checks the replies to the request that `rest` begins with, and returns how many bytes it takes; `None` if it is not
/// whole, or was the last.
fn one_request(rest: &[u8], replies: &mut Replies<'_>, closed: bool) -> Option<usize> {
    let (consumed, request) = match parse(rest) {
        Parsed::Incomplete => return None,
        Parsed::TooLong => {
            assert!(closed, "a line without an end");
            return None;
        }
        Parsed::Request { consumed, request } => (consumed, request),
    };
    let data = &rest[consumed..];
    match request {
        Request::Get { keys, with_cas } | Request::GetAndTouch { keys, with_cas, .. } => {
            replies.values(keys, with_cas);
        }
        Request::LongGet { keys, with_cas, .. } => match Keys::new(keys) {
            Some(keys) => replies.values(keys, with_cas),
            None => replies.exactly(reply::BAD_FORMAT),
        },
        Request::Store(store) => {
            return Some(consumed + stored(&store, data, replies)?);
        }
        Request::Error {
            reply,
            swallow,
            noreply,
            close,
        } => {
            if !noreply {
                replies.exactly(reply);
            }
            if close {
                assert!(closed);
                return None;
            }
            return (swallow <= data.len()).then_some(consumed + swallow);
        }
        Request::Quit => {
            assert!(closed, "quit closes");
            return None;
        }
        other => replies.of_command(&other),
    }
    Some(consumed)
}

/// The reply to a storage command, and how many bytes its data takes; `None` if they have not all been sent.
fn stored(store: &StoreRequest<'_>, data: &[u8], replies: &mut Replies<'_>) -> Option<usize> {
    let length = store.value_bytes as usize;
    let Some(line_end) = data.get(length..length + reply::CRLF.len()) else {
        // A value that is too large is refused before it has come.
        if !store.noreply && !replies.bytes.is_empty() {
            replies.one_of(&[reply::TOO_LARGE, reply::OUT_OF_MEMORY_STORING]);
        }
        return None;
    };
    if store.noreply {
        return Some(length + reply::CRLF.len());
    }
    let outcomes: &[&[u8]] = match store.verb {
        _ if line_end != reply::CRLF => &[reply::BAD_DATA_CHUNK],
        StoreVerb::Set => &[reply::STORED],
        StoreVerb::Add | StoreVerb::Replace | StoreVerb::Append | StoreVerb::Prepend => {
            &[reply::STORED, reply::NOT_STORED]
        }
        StoreVerb::Cas => &[reply::STORED, reply::EXISTS, reply::NOT_FOUND],
    };
    let refusals: &[&[u8]] = &[
        reply::TOO_LARGE,
        reply::OUT_OF_MEMORY_STORING,
        reply::OUT_OF_MEMORY_READING,
    ];
    replies.one_of(&[outcomes, refusals].concat());
    Some(length + reply::CRLF.len())
}

/// What has come back and is not accounted for yet.
struct Replies<'a> {
    bytes: &'a [u8],
    parser: ReplyParser,
}

impl<'a> Replies<'a> {
    fn exactly(&mut self, line: &[u8]) {
        let rest = self.bytes.strip_prefix(line);
        self.bytes = rest
            .unwrap_or_else(|| panic!("{} instead of {}", self.beginning(), line.escape_ascii()));
    }

    fn one_of(&mut self, lines: &[&[u8]]) {
        let found = lines.iter().find(|line| self.bytes.starts_with(line));
        let line =
            found.unwrap_or_else(|| panic!("{} instead of one of {lines:?}", self.beginning()));
        self.bytes = &self.bytes[line.len()..];
    }

    fn beginning(&self) -> String {
        let shown = self.bytes.len().min(80);
        self.bytes[..shown].escape_ascii().to_string()
    }

    fn part(&mut self) -> Part<'a> {
        match self.parser.next(self.bytes) {
            Step::Part { consumed, part } => {
                self.bytes = &self.bytes[consumed..];
                part
            }
            Step::Incomplete => panic!("a reply is missing or cut: {}", self.beginning()),
            Step::Malformed(error) => panic!("{error}: {}", self.beginning()),
        }
    }

    fn line(&mut self) -> Reply<'a> {
        match self.part() {
            Part::Reply(reply) => reply,
            other => panic!("a line is due, not {other:?}"),
        }
    }

    /// Hits of some of the keys, in their order, and the end.
    fn values(&mut self, mut keys: Keys<'_>, with_cas: bool) {
        loop {
            match self.part() {
                Part::Value(ValueHeader { key, cas, .. }) => {
                    assert!(keys.any(|asked| asked == key), "{key:?} out of order");
                    assert_eq!(cas.is_some(), with_cas);
                    while !matches!(self.part(), Part::Data(piece) if piece.last) {}
                }
                Part::Reply(Reply::End) => return,
                other => panic!("{other:?} in a retrieval"),
            }
        }
    }

    fn of_command(&mut self, request: &Request<'_>) {
        match *request {
            Request::Touch { noreply: true, .. }
            | Request::Delete { noreply: true, .. }
            | Request::Arith { noreply: true, .. }
            | Request::FlushAll { noreply: true, .. }
            | Request::FlushUnreadable { noreply: true }
            | Request::Verbosity { noreply: true, .. }
            | Request::Shutdown { noreply: true, .. }
            | Request::CacheMemlimit { noreply: true, .. } => {}
            Request::Touch { .. } => self.one_of(&[reply::TOUCHED, reply::NOT_FOUND]),
            Request::Delete { .. } => self.one_of(&[reply::DELETED, reply::NOT_FOUND]),
            Request::Arith { .. } => self.number(),
            Request::FlushAll { .. } => self.one_of(&[reply::OK, reply::FLUSH_DISABLED]),
            Request::FlushUnreadable { .. } => {
                self.one_of(&[reply::INVALID_EXPTIME, reply::FLUSH_DISABLED]);
            }
            Request::Verbosity { .. } => self.exactly(reply::OK),
            Request::Version => self.exactly(reply::VERSION),
            Request::MetaNoop => self.exactly(reply::MN),
            Request::Shutdown { .. } => {
                self.one_of(&[reply::SHUTDOWN_DISABLED, reply::SHUTDOWN_MODE]);
            }
            Request::CacheMemlimit { .. } => self.one_of(&[
                reply::OK,
                reply::MEMLIMIT_TOO_SMALL,
                reply::MEMLIMIT_NOT_BYTES,
                reply::MEMLIMIT_FAILED,
            ]),
            Request::Stats(StatsRequest::Reset) => self.exactly(reply::RESET),
            Request::Stats(_) => while !self.line().is_final() {},
            _ => drop(self.line()),
        }
    }

    fn number(&mut self) {
        const NON_NUMERIC: &[u8] = b"cannot increment or decrement non-numeric value";
        match self.line() {
            Reply::Number(_) | Reply::NotFound => {}
            Reply::Error { message, .. }
                if message == NON_NUMERIC || message == b"out of memory" => {}
            other => panic!("{other:?} to incr or decr"),
        }
    }
}

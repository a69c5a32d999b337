//! From buffered bytes to one command line, and from its first word to the verb's own parser.

use super::get::WithCas;
use super::request::{Request, StoreVerb};
use super::{
    admin, arith, debugtime, delete, flush, get, lru, lru_crawler, slabs, stats, store, touch,
    watch,
};
use crate::meta::ArithMode;
use crate::scan::find;
use crate::words::{Words, wants_no_reply};
use crate::{meta, reply};

/// Bytes that may be buffered without a line end before the connection is closed.
pub const LINE_BYTES_UNTERMINATED_MAX: usize = 2048;

/// Bytes that memcached reads at once: a line up to this length is answered if its end arrives together with its
/// beginning. The caller has to find out whether it does, since a connection may be read in smaller portions.
pub const LINE_BYTES_AT_ONCE_MAX: usize = 16 * 1024;

/// [`LINE_BYTES_UNTERMINATED_MAX`] for `get` and `gets`, which name any number of keys. memcached sets no limit; this
/// server does, so that one connection cannot take all memory. There is room for 33,000 of the longest keys.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// The shortest line, with its line end, that can be a command.
const LINE_BYTES_MIN: usize = 4;

/// The most leading spaces that are skipped to see whether an unterminated line is a `get`.
const LEADING_SPACES_MAX: usize = 100;

/// The result of parsing the bytes at the start of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed<'a> {
    /// Not a whole line yet: read more. [`parse_after`] need not search these bytes again.
    Incomplete,
    /// Too long without a line end: close the connection without a reply, unless the rest is just arriving and there
    /// are no more than [`LINE_BYTES_AT_ONCE_MAX`] bytes of it.
    TooLong,
    /// One command line.
    Request {
        /// Bytes of the line and its line end; never 0. A data block follows them.
        consumed: usize,
        /// The request of the line.
        request: Request<'a>,
    },
}

/// Parses the command line at the start of `buf`; never looks at what follows it.
#[inline]
#[must_use]
pub fn parse(buf: &[u8]) -> Parsed<'_> {
    parse_after(buf, 0)
}

/// As [`parse`], when the first `searched` bytes are known to hold no line end: those of a buffer that was
/// [`Parsed::Incomplete`] before more bytes came. Keeps the work linear when a long line arrives in small pieces.
#[inline]
#[must_use]
pub fn parse_after(buf: &[u8], searched: usize) -> Parsed<'_> {
    let searched = searched.min(buf.len());
    let Some(newline) = find(b'\n', &buf[searched..]) else {
        return unterminated(buf);
    };
    let newline = searched + newline;
    let consumed = newline + 1;
    let line = match &buf[..newline] {
        [line @ .., b'\r'] => line,
        line => line,
    };
    let request = match line {
        [b'g', b'e', b't', b' ', keys @ ..] => get::parse_get(WithCas::No, keys),
        _ if consumed < LINE_BYTES_MIN => Request::error(reply::BAD_FORMAT),
        [b'm', ..] if let Some(request) = meta::parse(line) => Request::Meta(request),
        _ => dispatch(line),
    };
    Parsed::Request { consumed, request }
}

#[cold]
fn unterminated(buf: &[u8]) -> Parsed<'_> {
    let long = buf.len() > LINE_BYTES_UNTERMINATED_MAX;
    if long && (buf.len() > LINE_BYTES_MAX || !is_retrieval(buf)) {
        return Parsed::TooLong;
    }
    Parsed::Incomplete
}

fn is_retrieval(buf: &[u8]) -> bool {
    let spaces = buf
        .iter()
        .take(LEADING_SPACES_MAX + 1)
        .take_while(|&&byte| byte == b' ')
        .count();
    let line = &buf[spaces..];
    spaces <= LEADING_SPACES_MAX && (line.starts_with(b"get ") || line.starts_with(b"gets "))
}

/// Parses a line by its first word. A line that begins with a space has an empty first word.
fn dispatch(line: &[u8]) -> Request<'_> {
    let end = find(b' ', line).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    match word {
        b"get" => get::parse_get(WithCas::No, rest),
        b"gets" => get::parse_get(WithCas::Yes, rest),
        b"gat" => get::parse_gat(WithCas::No, rest),
        b"gats" => get::parse_gat(WithCas::Yes, rest),
        b"set" => store::parse(StoreVerb::Set, rest),
        b"add" => store::parse(StoreVerb::Add, rest),
        b"replace" => store::parse(StoreVerb::Replace, rest),
        b"append" => store::parse(StoreVerb::Append, rest),
        b"prepend" => store::parse(StoreVerb::Prepend, rest),
        b"cas" => store::parse(StoreVerb::Cas, rest),
        b"delete" => delete::parse(rest),
        b"incr" => arith::parse(ArithMode::Incr, rest),
        b"decr" => arith::parse(ArithMode::Decr, rest),
        b"touch" => touch::parse(rest),
        b"flush_all" => flush::parse(rest),
        b"stats" => stats::parse(rest),
        b"version" => Request::Version,
        b"verbosity" => admin::parse_verbosity(rest),
        b"quit" => Request::Quit,
        b"mn" => Request::MetaNoop,
        b"shutdown" => admin::parse_shutdown(rest),
        b"cache_memlimit" => admin::parse_cache_memlimit(rest),
        b"watch" => Request::Watch {
            streams: watch::parse(rest),
        },
        b"slabs" => answered(rest, slabs::parse, |request, noreply| Request::Slabs {
            request,
            noreply,
        }),
        b"lru" => answered(rest, lru::parse, |request, noreply| Request::Lru {
            request,
            noreply,
        }),
        b"lru_crawler" => answered(rest, lru_crawler::parse, |request, noreply| {
            Request::LruCrawler { request, noreply }
        }),
        b"debugtime" => Request::DebugTime {
            time: debugtime::parse(rest),
            noreply: wants_no_reply(rest),
        },
        b"refresh_certs" => admin::parse_refresh_certs(rest),
        _ => unknown(line),
    }
}

/// The request of a command whose parser gives a value of its own, or the reply line to words that are none. Either way
/// a `noreply` at the end of the line counts.
fn answered<T>(
    rest: &[u8],
    parse: fn(&[u8]) -> Result<T, &'static [u8]>,
    request: fn(T, bool) -> Request<'static>,
) -> Request<'static> {
    let noreply = wants_no_reply(rest);
    match parse(rest) {
        Ok(form) => request(form, noreply),
        Err(line) => Request::error_unless(noreply, line),
    }
}

/// A line whose first word is no command. The HTTP request of a browser or a scanner closes the connection without a
/// reply.
#[cold]
fn unknown(line: &[u8]) -> Request<'_> {
    if line.len() > LINE_BYTES_AT_ONCE_MAX {
        // Spaces and then `get`: this is no browser, and the line may have megabytes, which need not be searched.
        return Request::error(reply::ERROR);
    }
    let mut words = Words::new(line).skip(1);
    if words
        .by_ref()
        .last()
        .is_some_and(|last| last.starts_with(b"HTTP/"))
    {
        return Request::Error {
            reply: b"",
            swallow: 0,
            noreply: true,
            close: true,
        };
    }
    Request::error_unless(wants_no_reply(line), reply::ERROR)
}

//! Replies of the meta commands, and of text commands among them that return no values.
//!
//! A quiet request is answered or not, so what belongs to what is found by trying: after each request there is a set of
//! possible numbers of replies used up. `mn` answers for everything before it, and opaques leave little doubt.

use std::collections::BTreeSet;

use corecached_client::wire::Step;
use corecached_client::wire::line::{Part, ReplyFlags, ReplyParser, Status};
use corecached_protocol::meta::{Flags, MetaRequest};
use corecached_protocol::reply;
use corecached_protocol::text::{Parsed, Request, parse};

use super::Exchange;

/// Checks the replies of one connection that is still open.
///
/// # Panics
/// If they are not what the requests ask for.
pub fn check(exchange: &Exchange<'_>) {
    let replies = replies(exchange.received);
    let mut used = BTreeSet::from([0]);
    let mut rest = exchange.sent;
    while let Parsed::Request { consumed, request } = parse(rest) {
        let next: BTreeSet<usize> = used
            .iter()
            .flat_map(|&used| after(&request, &replies, used))
            .collect();
        let line = &rest[..consumed];
        assert!(
            !next.is_empty(),
            "{} is not answered by any of {:?}",
            line.escape_ascii(),
            used.iter().map(|&at| replies.get(at)).collect::<Vec<_>>()
        );
        used = next;
        rest = &rest[consumed + data_bytes(&request)..];
    }
    assert!(rest.is_empty(), "cut: {}", rest.escape_ascii());
    assert!(used.contains(&replies.len()), "replies nobody asked for");
}

/// A reply without its value.
#[derive(Debug)]
struct Whole<'a> {
    /// `None` for a line of the text protocol, and `ME`.
    form: Option<(Form, ReplyFlags<'a>)>,
    line: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Value,
    Status(Status),
}

fn replies(received: &[u8]) -> Vec<Whole<'_>> {
    let (mut replies, mut parser, mut rest) = (Vec::new(), ReplyParser::new(), received);
    loop {
        match parser.next(rest) {
            Step::Part { consumed, part } => {
                let line = &rest[..consumed];
                let form = match part {
                    Part::MetaValue { flags, .. } => Some((Form::Value, flags)),
                    Part::Status { status, flags } => Some((Form::Status(status), flags)),
                    Part::Debug(_) | Part::Reply(_) | Part::Value(_) => None,
                    Part::Data(_) => {
                        rest = &rest[consumed..];
                        continue;
                    }
                };
                replies.push(Whole { form, line });
                rest = &rest[consumed..];
            }
            Step::Incomplete => break,
            Step::Malformed(error) => panic!("{error}: {}", rest.escape_ascii()),
        }
    }
    assert!(rest.is_empty(), "a reply is cut: {}", rest.escape_ascii());
    replies
}

fn data_bytes(request: &Request<'_>) -> usize {
    match request {
        Request::Store(store) => store.value_bytes as usize + reply::CRLF.len(),
        Request::Meta(MetaRequest::Set(set)) => set.value_bytes as usize + reply::CRLF.len(),
        Request::Meta(MetaRequest::Error { swallow, .. }) | Request::Error { swallow, .. } => {
            *swallow
        }
        _ => 0,
    }
}

/// How many replies can be used up after a request, if `used` are before it.
fn after(request: &Request<'_>, replies: &[Whole<'_>], used: usize) -> Vec<usize> {
    let fits = replies.get(used).is_some_and(|reply| fits(request, reply));
    let answered = fits.then_some(used + 1);
    let silent = is_quiet(request).then_some(used);
    answered.into_iter().chain(silent).collect()
}

fn is_quiet(request: &Request<'_>) -> bool {
    let Request::Meta(meta) = request else {
        return false;
    };
    match meta {
        MetaRequest::Get(get) => get.flags.is_quiet(),
        MetaRequest::Set(set) => set.flags.is_quiet(),
        MetaRequest::Delete(delete) => delete.flags.is_quiet(),
        MetaRequest::Arith(arith) => arith.flags.is_quiet(),
        MetaRequest::Debug(_) | MetaRequest::Error { .. } => false,
    }
}

fn fits(request: &Request<'_>, whole: &Whole<'_>) -> bool {
    use Form::{Status as Line, Value};
    let error = |prefix: &[u8]| whole.form.is_none() && whole.line.starts_with(prefix);
    let Request::Meta(meta) = request else {
        return match request {
            Request::MetaNoop => whole.line == reply::MN,
            Request::Error { reply, .. } => whole.line == *reply,
            _ => whole.form.is_none() && whole.line != reply::MN,
        };
    };
    match meta {
        MetaRequest::Error { reply, .. } => whole.line == *reply,
        MetaRequest::Debug(_) => {
            whole.line.starts_with(b"ME ") || matches!(whole.form, Some((Line(Status::En), _)))
        }
        MetaRequest::Get(get) => answers(&get.flags, whole, |form| match form {
            Value => get.flags.has(b'v'),
            Line(Status::En) => !get.flags.is_quiet(),
            Line(status) => status == Status::Hd,
        }),
        MetaRequest::Set(set) => {
            let refused = error(reply::BAD_DATA_CHUNK) || error(b"SERVER_ERROR ");
            refused
                || answers(&set.flags, whole, |form| match form {
                    Line(Status::Hd) => !set.flags.is_quiet(),
                    Line(status) => status != Status::En,
                    Value => false,
                })
        }
        MetaRequest::Delete(delete) => answers(&delete.flags, whole, |form| match form {
            Line(Status::Hd) => !delete.flags.is_quiet(),
            Line(status) => matches!(status, Status::Nf | Status::Ex),
            Value => false,
        }),
        MetaRequest::Arith(arith) => {
            let flags = &arith.flags;
            let refused = error(b"CLIENT_ERROR cannot incr") || error(b"SERVER_ERROR ");
            refused
                || answers(flags, whole, |form| match form {
                    Value => flags.has(b'v') && !flags.is_quiet(),
                    Line(Status::Hd) => !flags.has(b'v') && !flags.is_quiet(),
                    Line(status) => status != Status::En,
                })
        }
    }
}

/// Whether a reply is of an allowed form, has the opaque of its request, and no flag that was not asked for. A miss of
/// `mg` has opaque and key only; all of them are there in every other reply.
fn answers(asked: &Flags<'_>, whole: &Whole<'_>, allowed: impl Fn(Form) -> bool) -> bool {
    let Some((form, flags)) = &whole.form else {
        return false;
    };
    let back = |letter| flags.argument(letter).is_some();
    let marks = |letter| matches!(letter, b'W' | b'X' | b'Z' | b'b');
    let wanted = flags
        .iter()
        .all(|flag| asked.has(flag.letter) || marks(flag.letter));
    allowed(*form)
        && wanted
        && flags.argument(b'O') == asked.opaque()
        && back(b'k') == asked.has(b'k')
}

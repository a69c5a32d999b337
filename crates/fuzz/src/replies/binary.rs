//! Replies of the binary protocol.

use corecached_client::wire::Step;
use corecached_client::wire::binary::{Part, ReplyParser};
use corecached_protocol::binary::{BinaryRequest, Head, Opcode, Parsed, Status, parse};

use super::Exchange;

/// Checks the replies of one connection. Requests must have opaques of their own.
///
/// # Panics
/// If they are not what the requests ask for.
pub fn check(exchange: &Exchange<'_>) {
    let replies = replies(exchange.received);
    let mut replies = replies.iter().peekable();
    let mut rest = exchange.sent;
    while let Parsed::Packet {
        consumed,
        head,
        request,
    } = parse(rest)
    {
        let quiet = Opcode::from_byte(head.opcode).is_some_and(Opcode::is_quiet);
        let is_refused = matches!(request, BinaryRequest::Error { .. });
        let reply = replies.next_if(|(answered, _)| *answered == head);
        assert!(
            reply.is_some() || (quiet && !is_refused),
            "{request:?} {head:?} is not answered, {:?} is",
            replies.peek()
        );
        if let Some(&(_, status)) = reply {
            let ordinary = status == Ok(Status::Ok);
            let is_fetch = Opcode::from_byte(head.opcode).is_some_and(Opcode::is_fetch);
            assert!(
                !quiet || ordinary == is_fetch || is_refused,
                "{request:?} is quiet: {status:?}"
            );
        }
        if closes(&request) {
            assert!(exchange.closed, "{request:?} closes");
            break;
        }
        rest = &rest[(consumed + behind(&request)).min(rest.len())..];
    }
    assert_eq!(replies.next(), None, "nobody asked for it");
}

type Answer = (Head, Result<Status, u16>);

fn replies(received: &[u8]) -> Vec<Answer> {
    let (mut replies, mut parser, mut rest) = (Vec::new(), ReplyParser::new(), received);
    loop {
        match parser.next(rest) {
            Step::Part { consumed, part } => {
                match part {
                    Part::Hit { head, .. } => replies.push((head, Ok(Status::Ok))),
                    Part::Reply(reply) => replies.push((reply.head, reply.status)),
                    Part::Data(_) => {}
                }
                rest = &rest[consumed..];
            }
            Step::Incomplete => break,
            Step::Malformed(error) => panic!("{error}: {}", rest.escape_ascii()),
        }
    }
    assert!(rest.is_empty(), "a reply is cut: {}", rest.escape_ascii());
    replies
}

fn closes(request: &BinaryRequest<'_>) -> bool {
    matches!(
        request,
        BinaryRequest::Quit { .. } | BinaryRequest::Error { close: true, .. }
    )
}

/// Bytes that follow the packet up to its key.
fn behind(request: &BinaryRequest<'_>) -> usize {
    match request {
        BinaryRequest::Store(store) => store.value_bytes as usize,
        BinaryRequest::Error { swallow, .. } => *swallow,
        BinaryRequest::SaslAuth { value_bytes, .. }
        | BinaryRequest::SaslStep { value_bytes, .. } => *value_bytes as usize,
        _ => 0,
    }
}

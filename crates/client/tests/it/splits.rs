//! A stream of replies means the same however it is cut: to the session, and to a parser that is fed by a carry.

use corecached_client::request::{Arith, Delete, Get, GetMany, Stats, Store, StoreVerb, Touch};
use corecached_client::wire::binary::{Head, Header, REPLY_MAGIC};
use corecached_client::wire::line::{Part, ReplyParser};
use corecached_client::wire::{Carry, binary};
use corecached_client::{Answer, Protocol, Session};
use proptest::collection::vec;
use proptest::prelude::*;

const VALUE_BYTES_MAX: usize = 4096;

/// The answers that a session makes of `replies` to the requests that `ask` has asked, if the replies come in the given
/// pieces.
fn answers(
    protocol: Protocol,
    ask: &dyn Fn(&mut Session),
    replies: &[u8],
    cuts: &[usize],
) -> Vec<Result<Answer, String>> {
    let mut session = Session::new(protocol, VALUE_BYTES_MAX);
    ask(&mut session);
    let sent = session.outgoing().unwrap().len();
    session.sent(sent);
    let mut answers = Vec::new();
    let mut at = 0;
    for &end in cuts.iter().chain([&replies.len()]) {
        let mut piece = &replies[at..end];
        at = end;
        while !piece.is_empty() {
            let space = session.space();
            let taken = space.len().min(piece.len());
            space[..taken].copy_from_slice(&piece[..taken]);
            session.filled(taken).unwrap();
            piece = &piece[taken..];
            loop {
                match session.answer() {
                    Ok(Some(answer)) => answers.push(Ok(answer)),
                    Ok(None) => break,
                    Err(error) => {
                        answers.push(Err(error.to_string()));
                        return answers;
                    }
                }
            }
        }
    }
    assert_eq!(session.outstanding(), 0, "{answers:?}");
    assert!(session.is_idle());
    answers
}

/// Checks the answers for every single cut of the replies, and byte by byte.
fn at_all_cuts(protocol: Protocol, ask: &dyn Fn(&mut Session), replies: &[u8]) -> Vec<Answer> {
    let whole = answers(protocol, ask, replies, &[]);
    for cut in 1..replies.len() {
        assert_eq!(
            answers(protocol, ask, replies, &[cut]),
            whole,
            "cut at {cut}"
        );
    }
    let all: Vec<usize> = (1..replies.len()).collect();
    assert_eq!(answers(protocol, ask, replies, &all), whole, "byte by byte");
    whole.into_iter().map(|answer| answer.unwrap()).collect()
}

fn values(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::Values(hits) => hits
            .iter()
            .map(|hit| String::from_utf8_lossy(&hit.value).into_owned())
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_at_all_cuts() {
    let ask = |session: &mut Session| {
        session.ask(&Get::new("k")).unwrap();
        session
            .ask(&GetMany::new(&["a", "b", "c"]).with_cas())
            .unwrap();
        session.ask(&Store::new(StoreVerb::Set, "k", "v")).unwrap();
        session.ask(&Arith::incr("n", 1)).unwrap();
        session.ask(&Stats::default()).unwrap();
        session.ask(&Delete::new("k")).unwrap();
        session.ask(&Get::new("k")).unwrap();
    };
    let replies = b"VALUE k 7 8\r\nEND\r\nEND\r\nEND\r\n\
        VALUE a 0 0 5\r\n\r\nVALUE c 0 1 6\r\nx\r\nEND\r\n\
        STORED\r\n18446744073709551615\r\nSTAT pid 1\r\nSTAT version 1.6 x\r\nEND\r\n\
        NOT_FOUND\r\nSERVER_ERROR out of memory\r\n";
    let answers = at_all_cuts(Protocol::Text, &ask, replies);
    assert_eq!(values(&answers[0]), ["END\r\nEND"]);
    assert_eq!(values(&answers[1]), ["", "x"]);
    let Answer::Values(hits) = &answers[1] else {
        unreachable!()
    };
    assert_eq!(hits[1].attributes.cas, Some(6));
    assert!(matches!(answers[2], Answer::Done(_)));
    assert_eq!(answers[3], Answer::Number(u64::MAX));
    let stat = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let stats = vec![stat("pid", "1"), stat("version", "1.6 x")];
    assert_eq!(answers[4], Answer::Stats(stats));
    assert_eq!(answers[5], Answer::Miss);
    assert!(matches!(answers[6], Answer::Refused(_)));
}

#[test]
fn meta_at_all_cuts() {
    let ask = |session: &mut Session| {
        session.ask(&Get::new("k")).unwrap();
        session.ask(&GetMany::new(&["a", "b", "c"])).unwrap();
        session
            .ask(&Touch::new("k", corecached_client::Ttl::seconds(5)))
            .unwrap();
        session.ask(&Get::new("k")).unwrap();
    };
    // The get has opaque 0, the many 1 to 4, the touch 5, the last get 6.
    let replies = b"VA 4 O0 f1 W\r\nMN\r\n\r\n\
        VA 0 O1 f0\r\n\r\nVA 2 O3 f0\r\nzz\r\nMN\r\n\
        HD O5\r\nEN\r\n";
    let answers = at_all_cuts(Protocol::Meta, &ask, replies);
    assert_eq!(values(&answers[0]), ["MN\r\n"]);
    let Answer::Values(hits) = &answers[1] else {
        panic!("{answers:?}")
    };
    let indices: Vec<_> = hits.iter().map(|hit| hit.index).collect();
    assert_eq!(indices, [Some(0), Some(2)]);
    assert!(matches!(answers[2], Answer::Done(_)));
    assert_eq!(answers[3], Answer::Miss);
}

fn packet(opcode: u8, opaque: u32, status: u16, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let header = Header {
        magic: REPLY_MAGIC,
        head: Head { opcode, opaque },
        status,
        extras_bytes: extras.len() as u8,
        key_bytes: 0,
        body_bytes: (extras.len() + value.len()) as u32,
        cas: 9,
    };
    [&header.bytes(), extras, value].concat()
}

#[test]
fn binary_at_all_cuts() {
    let ask = |session: &mut Session| {
        session.ask(&Get::new("k")).unwrap();
        session.ask(&GetMany::new(&["a", "b"])).unwrap();
        session.ask(&Get::new("k")).unwrap();
        session.ask(&Arith::incr("n", 1)).unwrap();
        session.ask(&Store::new(StoreVerb::Add, "k", "v")).unwrap();
    };
    let replies = [
        packet(0x00, 0, 0, &[0, 0, 0, 3], b"hello"),
        packet(0x09, 2, 0, &[0; 4], b""),
        packet(0x0a, 3, 0, b"", b""),
        packet(0x00, 4, 1, b"", b"Not found"),
        packet(0x05, 5, 0, b"", &7u64.to_be_bytes()),
        packet(0x02, 6, 2, b"", b"Data exists for key."),
    ]
    .concat();
    let answers = at_all_cuts(Protocol::Binary, &ask, &replies);
    assert_eq!(values(&answers[0]), ["hello"]);
    assert_eq!(values(&answers[1]), [""]);
    assert_eq!(answers[2], Answer::Miss);
    assert_eq!(answers[3], Answer::Number(7));
    assert_eq!(answers[4], Answer::NotStored);
}

#[test]
fn a_value_longer_than_allowed_is_refused_before_it_comes() {
    let ask = |session: &mut Session| {
        session.ask(&Get::new("k")).unwrap();
    };
    for (protocol, replies) in [
        (Protocol::Text, &b"VALUE k 0 4097\r\n"[..]),
        (Protocol::Meta, b"VA 4097 O0\r\n"),
    ] {
        let answers = answers(protocol, &ask, replies, &[]);
        assert!(
            answers[0].as_ref().unwrap_err().contains("4097"),
            "{answers:?}"
        );
    }
}

/// Parts of a stream of lines, pieces of values joined.
fn fed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, String> {
    let (mut parser, mut carry) = (ReplyParser::new(), Carry::new());
    let mut parts: Vec<String> = Vec::new();
    let mut in_value = false;
    for piece in pieces {
        carry.feed(
            &mut parser,
            piece,
            |part, _| {
                match part {
                    Part::Data(data) => {
                        if !in_value {
                            parts.push(String::new());
                        }
                        let text = data.bytes.escape_ascii().to_string();
                        parts.last_mut().unwrap().push_str(&text);
                        in_value = !data.last;
                    }
                    other => parts.push(format!("{other:?}")),
                }
                Ok(())
            },
            |error, _| error.to_string(),
        )?;
    }
    parts.push(format!("kept {}", carry.kept().escape_ascii()));
    Ok(parts)
}

fn reply() -> impl Strategy<Value = Vec<u8>> {
    let value = vec(any::<u8>(), 0..40);
    prop_oneof![
        Just(b"STORED\r\n".to_vec()),
        Just(b"END\r\n".to_vec()),
        Just(b"HD O7 t-1\r\n".to_vec()),
        Just(b"SERVER_ERROR out of memory storing object\r\n".to_vec()),
        (value.clone(), "[!-~]{1,250}").prop_map(|(value, key)| {
            let mut out = format!("VALUE {key} 0 {}\r\n", value.len()).into_bytes();
            out.extend_from_slice(&value);
            out.extend_from_slice(b"\r\n");
            out
        }),
        value.prop_map(|value| {
            let mut out = format!("VA {} s1 O99\r\n", value.len()).into_bytes();
            out.extend_from_slice(&value);
            out.extend_from_slice(b"\r\n");
            out
        }),
    ]
}

proptest! {
    #[test]
    fn a_carry_feeds_the_same_whatever_the_pieces(replies in vec(reply(), 1..8), cuts in vec(any::<prop::sample::Index>(), 0..12)) {
        let bytes = replies.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut at = 0;
        for cut in cuts {
            pieces.push(&bytes[at..cut]);
            at = cut;
        }
        pieces.push(&bytes[at..]);
        let whole = fed([&bytes[..]]).unwrap();
        prop_assert_eq!(whole.last().unwrap(), "kept ");
        prop_assert_eq!(fed(pieces).unwrap(), whole);
    }

    #[test]
    fn any_bytes_end_a_session_or_do_not_but_never_panic(bytes in vec(any::<u8>(), 0..300), binary: bool) {
        let protocol = if binary { Protocol::Binary } else { Protocol::Meta };
        let mut session = Session::new(protocol, VALUE_BYTES_MAX);
        for _ in 0..3 {
            session.ask(&Get::new("k")).unwrap();
        }
        let space = session.space();
        space[..bytes.len()].copy_from_slice(&bytes);
        session.filled(bytes.len()).unwrap();
        for _ in 0..4 {
            match session.answer() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => {
                    prop_assert!(session.answer().is_err(), "a failed session gives no answer");
                    prop_assert!(session.ask(&Get::new("k")).is_err());
                    break;
                }
            }
        }
    }
}

#[test]
fn a_carry_keeps_long_packets_too() {
    let text = vec![b'x'; 10_000];
    let bytes = packet(0x10, 1, 4, b"", &text);
    for piece_bytes in [1, 23, 24, 25, 2047, 2048, 2049, 9999] {
        let (mut parser, mut carry) = (binary::ReplyParser::new(), Carry::new());
        let mut lengths = Vec::new();
        for piece in bytes.repeat(2).chunks(piece_bytes) {
            let fed: Result<(), String> = carry.feed(
                &mut parser,
                piece,
                |part, _| {
                    if let binary::Part::Reply(reply) = part {
                        lengths.push(reply.value.len());
                    }
                    Ok(())
                },
                |error, _| error.to_string(),
            );
            fed.unwrap();
        }
        assert_eq!(lengths, [10_000, 10_000], "{piece_bytes} at once");
        assert!(carry.kept().is_empty());
    }
}

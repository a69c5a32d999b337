//! The classic text protocol, as a server reads it.

use corecached_client::wire::text::{self as render, ReplyMode, Store};
use corecached_protocol::text::{
    LINE_BYTES_MAX, LINE_BYTES_UNTERMINATED_MAX, Parsed, Request, parse, parse_after,
};
use corecached_protocol::{VALUE_BYTES_MAX, reply};

use super::{assert_inside, check_text_key, cuts, is_sendable};

/// Parses all of `bytes` as command lines.
pub fn run(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        match parse(rest) {
            Parsed::Incomplete => return assert!(!rest.contains(&b'\n')),
            Parsed::TooLong => {
                assert!(!rest.contains(&b'\n') && rest.len() > LINE_BYTES_UNTERMINATED_MAX);
                let may_be_long = rest.starts_with(b"get ") || rest.starts_with(b"gets ");
                return assert!(!may_be_long || rest.len() > LINE_BYTES_MAX);
            }
            Parsed::Request { consumed, request } => {
                check_extent(rest, consumed, &request);
                check_request(&request, &rest[..consumed]);
                check_round_trip(&request);
                rest = &rest[consumed..];
            }
        }
    }
}

/// A request is one line, whatever follows it and in whatever pieces it comes.
fn check_extent(rest: &[u8], consumed: usize, request: &Request<'_>) {
    let line_end = rest.iter().position(|&byte| byte == b'\n');
    assert_eq!(line_end, Some(consumed - 1));
    let alone = Parsed::Request {
        consumed,
        request: request.clone(),
    };
    assert_eq!(parse(&rest[..consumed]), alone);
    for end in cuts(consumed) {
        let part = parse(&rest[..end]);
        assert!(!matches!(part, Parsed::Request { .. }), "cut at {end}");
        assert_eq!(parse_after(&rest[..consumed], end), alone);
    }
}

fn check_request(request: &Request<'_>, line: &[u8]) {
    match request {
        Request::Get { keys, .. } | Request::GetAndTouch { keys, .. } => {
            let (least, most) = keys.size_hint();
            let count = keys.clone().count();
            assert!(count >= 1 && least <= count && Some(count) <= most);
            assert_eq!(keys.single().is_some(), count == 1);
            keys.clone().for_each(|key| check_text_key(key, line));
        }
        Request::Store(store) => {
            check_text_key(store.key, line);
            assert!(store.value_bytes <= VALUE_BYTES_MAX);
        }
        Request::Touch { key, .. } | Request::Delete { key, .. } | Request::Arith { key, .. } => {
            check_text_key(key, line);
        }
        Request::Verbosity { level, .. } => assert!(*level <= Request::VERBOSITY_MAX),
        Request::Stats(corecached_protocol::text::StatsRequest::Other(word)) => {
            assert_inside(word, line);
        }
        Request::Error {
            reply,
            noreply,
            close,
            swallow,
        } => {
            assert!(reply.ends_with(reply::CRLF) || (*noreply && *close));
            assert!(*swallow <= VALUE_BYTES_MAX as usize + reply::CRLF.len());
        }
        _ => {}
    }
}

fn check_round_trip(request: &Request<'_>) {
    let mut line = Vec::new();
    if !render_again(&mut line, request) {
        return;
    }
    let Parsed::Request {
        consumed,
        request: again,
    } = parse(&line)
    else {
        panic!("{} is a line", line.escape_ascii());
    };
    assert_eq!(consumed, line.len());
    assert!(is_same(&again, request), "{}", line.escape_ascii());
}

/// Whether two requests ask for the same. (Keys know how many spaces stand between them, which does not matter.)
fn is_same(one: &Request<'_>, other: &Request<'_>) -> bool {
    match (one.clone(), other.clone()) {
        (
            Request::Get { keys, with_cas },
            Request::Get {
                keys: others,
                with_cas: other_cas,
            },
        ) => keys.eq(others) && with_cas == other_cas,
        (
            Request::GetAndTouch {
                exptime,
                keys,
                with_cas,
            },
            Request::GetAndTouch {
                exptime: other_exptime,
                keys: others,
                with_cas: other_cas,
            },
        ) => keys.eq(others) && (exptime, with_cas) == (other_exptime, other_cas),
        _ => one == other,
    }
}

/// Writes the line of `request` as a client does; `false` if a client has no function for it.
fn render_again(line: &mut Vec<u8>, request: &Request<'_>) -> bool {
    match request.clone() {
        Request::Get { keys, with_cas } => {
            if !keys.clone().all(is_sendable) {
                return false;
            }
            match (keys.single(), with_cas) {
                (Some(key), false) => render::get(line, key),
                (Some(key), true) => render::gets(line, key),
                (None, false) => render::multi_get(line, keys),
                (None, true) => render::multi_gets(line, keys),
            }
        }
        Request::GetAndTouch {
            exptime,
            keys,
            with_cas,
        } => {
            if !keys.clone().all(is_sendable) {
                return false;
            }
            if with_cas {
                render::gats(line, exptime, keys);
            } else {
                render::gat(line, exptime, keys);
            }
        }
        Request::Store(store) if is_sendable(store.key) => {
            let bytes = store.value_bytes as usize;
            render::store_line(line, store.key, &Store::from(&store), bytes);
        }
        request => return render_keyed(line, &request),
    }
    true
}

fn render_keyed(line: &mut Vec<u8>, request: &Request<'_>) -> bool {
    match *request {
        Request::Touch {
            key,
            exptime,
            noreply,
        } if is_sendable(key) => render::touch(line, key, exptime, ReplyMode::noreply_if(noreply)),
        Request::Delete { key, noreply } if is_sendable(key) => {
            // Without noreply the key itself would be taken for it.
            if key == b"noreply" && !noreply {
                return false;
            }
            render::delete(line, key, ReplyMode::noreply_if(noreply));
        }
        Request::Arith {
            key,
            incr,
            delta,
            noreply,
        } if is_sendable(key) => {
            let write = if incr { render::incr } else { render::decr };
            write(line, key, delta, ReplyMode::noreply_if(noreply));
        }
        Request::FlushAll { exptime, noreply } => {
            render::flush_all(line, exptime, ReplyMode::noreply_if(noreply));
        }
        Request::Verbosity { level, noreply } => {
            render::verbosity(line, level, ReplyMode::noreply_if(noreply));
        }
        Request::Version => render::version(line),
        Request::MetaNoop => render::meta_noop(line),
        Request::Quit => render::quit(line),
        _ => return false,
    }
    true
}

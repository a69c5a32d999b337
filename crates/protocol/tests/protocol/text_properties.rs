//! Properties that hold for any bytes at all.

use corecached_protocol::text::{LINE_BYTES_UNTERMINATED_MAX, Parsed, Request, parse};
use corecached_protocol::{KEY_BYTES_MAX, text};
use proptest::collection::vec;
use proptest::prelude::*;

/// Words that commands are made of, good and bad ones.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let commands = text::COMMANDS.to_vec();
    prop_oneof![
        4 => prop::sample::select(commands).prop_map(|word| word.as_bytes().to_vec()),
        2 => prop::sample::select(vec!["noreply", "0", "-1", "5", "4294967296", "reset", "graceful", "HTTP/1.1", "detail"])
            .prop_map(|word| word.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 0..8),
        1 => vec(b'a'..=b'z', 245..256),
    ]
}

/// Lines of such words, with all kinds of separators and ends.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let separator = prop::sample::select(vec![" ", " ", " ", "  ", "\r\n", "\n", "\t", ""]);
    vec((word(), separator), 0..12).prop_map(|parts| {
        parts
            .into_iter()
            .flat_map(|(word, separator)| [word, separator.as_bytes().to_vec()].concat())
            .collect()
    })
}

fn check_key(key: &[u8]) -> Result<(), TestCaseError> {
    prop_assert!((1..=KEY_BYTES_MAX).contains(&key.len()));
    prop_assert!(!key.contains(&b' ') && !key.contains(&b'\n'));
    Ok(())
}

fn check_request(request: &Request<'_>) -> Result<(), TestCaseError> {
    match request {
        Request::Get { keys, .. } | Request::GetAndTouch { keys, .. } => {
            let (least, most) = keys.size_hint();
            let count = keys.clone().count();
            prop_assert!(count >= 1 && least <= count && count <= most.unwrap_or(0));
            prop_assert_eq!(keys.single().is_some(), count == 1);
            for key in keys.clone() {
                check_key(key)?;
            }
        }
        Request::Store(store) => {
            check_key(store.key)?;
            prop_assert!(store.value_bytes <= i32::MAX as u32 - 2);
        }
        Request::Touch { key, .. } | Request::Delete { key, .. } | Request::Arith { key, .. } => {
            check_key(key)?;
        }

        Request::Error {
            reply,
            noreply,
            close,
            ..
        } => {
            prop_assert!(reply.ends_with(b"\r\n") || (*noreply && *close));
        }
        _ => {}
    }
    Ok(())
}

/// Parses a whole stream of lines and checks each step.
fn check_stream(mut buf: &[u8]) -> Result<(), TestCaseError> {
    loop {
        match parse(buf) {
            Parsed::Incomplete => {
                prop_assert!(!buf.contains(&b'\n'));
                return Ok(());
            }
            Parsed::TooLong => {
                prop_assert!(!buf.contains(&b'\n') && buf.len() > LINE_BYTES_UNTERMINATED_MAX);
                return Ok(());
            }
            Parsed::Request { consumed, request } => {
                prop_assert!(consumed > 0 && consumed <= buf.len());
                prop_assert_eq!(
                    buf[..consumed].iter().position(|&byte| byte == b'\n'),
                    Some(consumed - 1)
                );
                check_request(&request)?;
                for end in (0..consumed).rev().take(16) {
                    prop_assert!(
                        !matches!(parse(&buf[..end]), Parsed::Request { .. }),
                        "a prefix is not a line"
                    );
                }
                buf = &buf[consumed..];
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..4096)) {
        check_stream(&bytes)?;
    }

    #[test]
    fn lines_of_likely_words(bytes in lines()) {
        check_stream(&bytes)?;
    }

    #[test]
    fn keys_come_back_as_sent(keys in vec("[!-~]{1,250}", 1..40), with_cas: bool) {
        let line = format!("{} {}\r\n", if with_cas { "gets" } else { "get" }, keys.join(" "));
        let Parsed::Request { request: Request::Get { keys: parsed, with_cas: cas }, consumed } = parse(line.as_bytes()) else {
            return Err(TestCaseError::fail("a retrieval"));
        };
        prop_assert_eq!(consumed, line.len());
        prop_assert_eq!(cas, with_cas);
        prop_assert!(parsed.eq(keys.iter().map(|key| key.as_bytes())));
    }
}

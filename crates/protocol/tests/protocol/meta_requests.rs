//! Meta command lines: what they mean, and every error.

use corecached_protocol::KEY_BYTES_MAX;
use corecached_protocol::meta::{
    ArithMode, Flags, KeyScratch, MetaKey, MetaRequest, SetMode, parse,
};
use proptest::collection::vec;
use proptest::prelude::*;

const BAD_FORMAT: &str = "bad command line format";

fn request(line: &str) -> MetaRequest<'_> {
    parse(line.as_bytes()).unwrap_or_else(|| panic!("{line:?} is a meta command"))
}

/// The line is refused with this text, and so many bytes after it are dropped.
#[track_caller]
fn refused(line: &str, text: &str, dropped: usize) {
    match request(line) {
        MetaRequest::Error { reply, swallow } => {
            assert_eq!(
                String::from_utf8_lossy(reply),
                format!("CLIENT_ERROR {text}\r\n"),
                "{line:?}"
            );
            assert_eq!(swallow, dropped, "{line:?}");
        }
        other => panic!("{line:?}: {other:?}"),
    }
}

fn key_bytes(key: &MetaKey<'_>) -> Vec<u8> {
    key.bytes(&mut KeyScratch::from([0; KEY_BYTES_MAX]))
        .to_vec()
}

fn in_order(flags: &Flags<'_>) -> Vec<String> {
    flags
        .in_order()
        .map(|flag| {
            format!(
                "{}{}",
                flag.letter as char,
                String::from_utf8_lossy(flag.argument)
            )
        })
        .collect()
}

fn flags_of(line: &str) -> Flags<'_> {
    match request(line) {
        MetaRequest::Get(get) => get.flags,
        MetaRequest::Set(set) => set.flags,
        MetaRequest::Delete(delete) => delete.flags,
        MetaRequest::Arith(arith) => arith.flags,
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn only_meta_commands_are_taken() {
    for line in ["", "mn", "get a", "mgx a", "m", " mg a", "MG a"] {
        assert_eq!(parse(line.as_bytes()), None, "{line:?}");
    }
}

#[test]
fn keys() {
    let MetaRequest::Get(get) = request("mg foo") else {
        panic!("a fetch")
    };
    assert_eq!(
        (key_bytes(&get.key), get.key.is_base64()),
        (b"foo".to_vec(), false)
    );
    let MetaRequest::Delete(delete) = request("md  Zm9vIGJhcg==  q b") else {
        panic!("a deletion")
    };
    assert_eq!(
        (key_bytes(&delete.key), delete.key.is_base64()),
        (b"foo bar".to_vec(), true)
    );
    assert!(delete.flags.is_quiet());
    let longest = "k".repeat(KEY_BYTES_MAX);
    let line = format!("mg {longest} v");
    let MetaRequest::Get(get) = request(&line) else {
        panic!("a fetch")
    };
    assert_eq!(key_bytes(&get.key), longest.as_bytes());
}

#[test]
fn flags_are_kept_in_order() {
    let flags = flags_of("mg k  t T30 v O123 k   c");
    assert_eq!(in_order(&flags), ["t", "T30", "v", "O123", "k", "c"]);
    assert_eq!(flags.exptime(), Some(30));
    assert_eq!(flags.opaque(), Some(&b"123"[..]));
    assert!(
        flags.has(b'v')
            && flags.has(b'k')
            && !flags.has(b's')
            && !flags.has(b'5')
            && !flags.has(0xff)
    );
    assert!(!flags.is_quiet());
}

#[test]
fn arguments() {
    let flags = flags_of("ma k N-1 R4 T0 C18446744073709551615 E7 J10 D5 F4294967295 MD");
    assert_eq!(
        (flags.vivify(), flags.recache(), flags.exptime()),
        (Some(-1), Some(4), Some(0))
    );
    assert_eq!(
        (flags.compare_cas(), flags.new_cas()),
        (Some(u64::MAX), Some(7))
    );
    assert_eq!(
        (flags.initial(), flags.delta(), flags.client_flags()),
        (10, 5, u32::MAX)
    );
    let flags = flags_of("ma k");
    assert_eq!(
        (flags.vivify(), flags.recache(), flags.exptime()),
        (None, None, None)
    );
    assert_eq!(
        (flags.compare_cas(), flags.new_cas(), flags.opaque()),
        (None, None, None)
    );
    assert_eq!(
        (flags.initial(), flags.delta(), flags.client_flags()),
        (0, 1, 0)
    );
}

#[test]
fn every_known_letter_is_taken_by_every_command() {
    let known = "b c f h k l q s t u v x I Oa P1 Lx C1 D1 E1 F1 J1 N1 R1 T1 MI";
    for word in known.split(' ') {
        assert_eq!(in_order(&flags_of(&format!("mg Zm9v {word}"))), [word]);
        assert_eq!(in_order(&flags_of(&format!("md Zm9v {word}"))), [word]);
        assert_eq!(in_order(&flags_of(&format!("ma Zm9v {word}"))), [word]);
        let word = if word == "MI" { "MS" } else { word };
        assert_eq!(in_order(&flags_of(&format!("ms Zm9v 1 {word}"))), [word]);
    }
}

#[test]
fn modes() {
    for (flag, mode) in [
        ("", SetMode::Set),
        ("MS", SetMode::Set),
        ("ME", SetMode::Add),
        ("MA", SetMode::Append),
        ("MP", SetMode::Prepend),
        ("MR", SetMode::Replace),
        ("MRxyz", SetMode::Replace),
    ] {
        let line = format!("ms k 5 {flag}");
        let MetaRequest::Set(set) = request(&line) else {
            panic!("{line:?}")
        };
        assert_eq!((set.mode, set.value_bytes), (mode, 5), "{line:?}");
    }
    for (flag, mode) in [
        ("", ArithMode::Incr),
        ("MI", ArithMode::Incr),
        ("M+", ArithMode::Incr),
        ("MD", ArithMode::Decr),
        ("M-", ArithMode::Decr),
    ] {
        let line = format!("ma k {flag}");
        let MetaRequest::Arith(arith) = request(&line) else {
            panic!("{line:?}")
        };
        assert_eq!(arith.mode, mode, "{line:?}");
    }
}

#[test]
fn lines_that_lack_something() {
    for line in [
        "mg",
        "ms",
        "md",
        "ma",
        "me",
        "mg  ",
        "ms k",
        "ms k x",
        "ms k -1",
        "ms k 2147483646",
        "ms k v 5",
    ] {
        refused(line, BAD_FORMAT, 0);
    }
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    refused(&format!("mg {long} v"), BAD_FORMAT, 0);
    refused(&format!("md {long}"), BAD_FORMAT, 0);
    refused(&format!("me {long}"), BAD_FORMAT, 0);
    refused(&format!("ms {long} 5"), BAD_FORMAT, 7);
    refused(&format!("ma {long}"), "invalid or duplicate flag", 0);
}

#[test]
fn flags_that_are_wrong() {
    for (flags, text) in [
        ("v v", "duplicate flag"),
        ("T1 T2", "duplicate flag"),
        ("Z", "invalid flag"),
        ("5", "invalid flag"),
        ("_", "invalid flag"),
        ("v !", BAD_FORMAT),
        ("v v \u{7f}", BAD_FORMAT),
        ("@", BAD_FORMAT),
        ("T", "bad token in command line format"),
        ("Tx", "bad token in command line format"),
        ("T2147483648", "bad token in command line format"),
        ("N-2147483649", "bad token in command line format"),
        ("R1x", "bad token in command line format"),
        ("C-1", "bad token in command line format"),
        ("E18446744073709551616", "bad token in command line format"),
        ("F", BAD_FORMAT),
        ("F-1", BAD_FORMAT),
        ("F4294967296", BAD_FORMAT),
        ("Jx", "invalid numeric initial value"),
        ("Dx", "invalid numeric delta value"),
        ("Tx Fx", "bad token in command line format"),
        ("Fx Tx", "bad token in command line format"),
        ("Tx Dx", "invalid numeric delta value"),
        ("Tx v v", "duplicate flag"),
        ("Tx Z", "invalid flag"),
        ("b", "error decoding key"),
        ("O12345678901234567890123456789012", "opaque token too long"),
    ] {
        refused(&format!("mg k {flags}"), text, 0);
        refused(&format!("md k {flags}"), text, 0);
        refused(&format!("ms k 5 {flags}"), text, 7);
        let arith = match text {
            BAD_FORMAT if flags.contains(['!', '@', '\u{7f}']) => BAD_FORMAT,
            "opaque token too long" => text,
            _ => "invalid or duplicate flag",
        };
        refused(&format!("ma k {flags}"), arith, 0);
    }
    flags_of("mg k O1234567890123456789012345678901");
}

#[test]
fn modes_that_are_wrong() {
    refused("ms k 5 MX", "invalid mode for ms M token", 7);
    refused("ms k 5 M", "invalid mode for ms M token", 7);
    refused("ma k MX", "invalid mode for ma M token", 0);
    refused("ma k M", "invalid mode for ma M token", 0);
    flags_of("mg k MX");
}

#[test]
fn too_many_words() {
    let flags = "b c f h k l q s t u v x I Oa P L T1 N1";
    assert_eq!(in_order(&flags_of(&format!("mg Zm9v {flags}"))).len(), 18);
    refused(
        &format!("mg Zm9v {flags} R1"),
        "options flags are too long",
        0,
    );
    refused(
        &format!("mg Zm9v {flags} b b b"),
        "options flags are too long",
        0,
    );
    refused(
        &format!("ms Zm9v 1 {flags}"),
        "options flags are too long",
        3,
    );
    refused(
        &format!("ma Zm9v {flags} R1"),
        "invalid or duplicate flag",
        0,
    );
}

#[test]
fn debug() {
    let MetaRequest::Debug(debug) = request("me foo bar") else {
        panic!("a look")
    };
    assert_eq!(key_bytes(&debug.key), b"foo");
    let MetaRequest::Debug(debug) = request("me Zm9v b") else {
        panic!("a look")
    };
    assert_eq!(
        (key_bytes(&debug.key), debug.key.is_base64()),
        (b"foo".to_vec(), true)
    );
    refused("me foo b", BAD_FORMAT, 0);
}

proptest! {
    #[test]
    fn any_line(command in prop::sample::select(vec!["mg ", "ms k 5 ", "md ", "ma ", "me ", "ms "]), rest in vec(any::<u8>(), 0..300)) {
        let line = [command.as_bytes(), &rest].concat();
        match parse(&line) {
            Some(MetaRequest::Error { reply, swallow }) => {
                prop_assert!(reply.starts_with(b"CLIENT_ERROR ") && reply.ends_with(b"\r\n"));
                prop_assert!(swallow == 0 || command.starts_with("ms"));
            }
            Some(MetaRequest::Get(get)) => prop_assert!((1..=KEY_BYTES_MAX).contains(&key_bytes(&get.key).len())),
            Some(_) => {}
            None => prop_assert!(false, "not a meta command"),
        }
    }

    #[test]
    fn lines_of_likely_flags(
        command in prop::sample::select(vec!["mg Zm9v", "ms Zm9v 5", "md Zm9v", "ma Zm9v"]),
        flags in vec(("[A-Za-z!0]", prop::sample::select(vec!["", "", "1", "-1", "x"])), 0..6),
    ) {
        let words: Vec<String> = flags.iter().map(|(letter, argument)| format!("{letter}{argument}")).collect();
        let line = format!("{command} {}", words.join(" "));
        if !matches!(request(&line), MetaRequest::Error { .. }) {
            prop_assert_eq!(in_order(&flags_of(&line)), words);
        }
    }
}

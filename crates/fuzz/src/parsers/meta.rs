//! The meta commands, as a server reads them.

use corecached_client::wire::key::BASE64_KEY_BYTES_MAX;
use corecached_client::wire::meta::Command;
use corecached_protocol::VALUE_BYTES_MAX;
use corecached_protocol::meta::{
    Flags, KeyScratch, MetaKey, MetaRequest, OPAQUE_BYTES_MAX, WORDS_MAX, parse,
};
use corecached_protocol::reply;

use super::{assert_inside, check_key, is_sendable};

/// Parses each line of `bytes` as a meta command.
pub fn run(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(request) = parse(line) {
            check_request(&request, line);
            check_round_trip(&request);
        }
    }
}

fn check_request(request: &MetaRequest<'_>, line: &[u8]) {
    let word = match request {
        MetaRequest::Get(get) => {
            check_command(&get.key, &get.flags, 2, line);
            b"mg "
        }
        MetaRequest::Set(set) => {
            check_command(&set.key, &set.flags, 3, line);
            assert!(set.value_bytes <= VALUE_BYTES_MAX);
            b"ms "
        }
        MetaRequest::Delete(delete) => {
            check_command(&delete.key, &delete.flags, 2, line);
            b"md "
        }
        MetaRequest::Arith(arith) => {
            check_command(&arith.key, &arith.flags, 2, line);
            b"ma "
        }
        MetaRequest::Debug(debug) => {
            check_meta_key(&debug.key, line);
            b"me "
        }
        MetaRequest::Error { reply, swallow } => {
            assert!(reply.starts_with(b"CLIENT_ERROR ") && reply.ends_with(reply::CRLF));
            assert!(*swallow == 0 || line.starts_with(b"ms "));
            return assert!(*swallow <= VALUE_BYTES_MAX as usize + reply::CRLF.len());
        }
    };
    assert!(line.starts_with(word));
}

fn check_command(key: &MetaKey<'_>, flags: &Flags<'_>, words_before: usize, line: &[u8]) {
    check_meta_key(key, line);
    assert_eq!(key.is_base64(), flags.has(b'b'));
    let mut seen = 0u128;
    let mut end = line.as_ptr();
    for flag in flags.in_order() {
        assert!(flag.letter.is_ascii_alphabetic() && flags.has(flag.letter));
        let bit = 1u128 << flag.letter;
        assert_eq!(seen & bit, 0, "{} is there twice", flag.letter as char);
        seen |= bit;
        assert_inside(flag.argument, line);
        assert!(flag.argument.as_ptr() > end, "flags come in their order");
        end = flag.argument.as_ptr();
    }
    assert!(words_before + flags.in_order().count() <= WORDS_MAX);
    assert!(
        (0..=u8::MAX)
            .filter(|&letter| flags.has(letter))
            .all(|letter| seen & 1u128 << letter != 0)
    );
    check_arguments(flags);
}

/// An argument that must be a number is one, and is there if and only if its flag is.
fn check_arguments(flags: &Flags<'_>) {
    assert_eq!(flags.exptime().is_some(), flags.has(b'T'));
    assert_eq!(flags.vivify().is_some(), flags.has(b'N'));
    assert_eq!(flags.recache().is_some(), flags.has(b'R'));
    assert_eq!(flags.compare_cas().is_some(), flags.has(b'C'));
    assert_eq!(flags.new_cas().is_some(), flags.has(b'E'));
    assert_eq!(flags.opaque().is_some(), flags.has(b'O'));
    assert!(
        flags
            .opaque()
            .is_none_or(|opaque| opaque.len() <= OPAQUE_BYTES_MAX)
    );
    assert!(flags.has(b'F') || flags.client_flags() == 0);
    assert!(flags.has(b'J') || flags.initial() == 0);
    assert!(flags.has(b'D') || flags.delta() == 1);
    let back = flags
        .in_order()
        .any(|flag| b"Ocfhklst".contains(&flag.letter));
    assert_eq!(flags.wants_flags_back(), back);
}

fn check_meta_key(key: &MetaKey<'_>, line: &[u8]) {
    let mut scratch: KeyScratch = [0; _];
    let is_base64 = key.is_base64();
    let bytes = key.bytes(&mut scratch);
    if is_base64 {
        assert!((1..=187).contains(&bytes.len()), "{bytes:?}");
    } else {
        check_key(bytes, line);
    }
}

fn check_round_trip(request: &MetaRequest<'_>) {
    let mut out = Vec::new();
    match request {
        MetaRequest::Get(get) => {
            write(
                &mut out,
                &get.key,
                &get.flags,
                |out, key| Command::get(out, key),
                Command::get_base64,
            );
        }
        MetaRequest::Delete(delete) => {
            let flags = &delete.flags;
            write(
                &mut out,
                &delete.key,
                flags,
                |out, key| Command::delete(out, key),
                Command::delete_base64,
            );
        }
        MetaRequest::Arith(arith) => {
            let flags = &arith.flags;
            write(
                &mut out,
                &arith.key,
                flags,
                |out, key| Command::arith(out, key),
                Command::arith_base64,
            );
        }
        MetaRequest::Set(set) => {
            let bytes = set.value_bytes as usize;
            write(
                &mut out,
                &set.key,
                &set.flags,
                |out, key| Command::set(out, key, bytes),
                |out, key| Command::set_base64(out, key, bytes),
            );
        }
        MetaRequest::Debug(_) | MetaRequest::Error { .. } => return,
    }
    let Some(line) = out.strip_suffix(reply::CRLF) else {
        return;
    };
    let again = parse(line).expect("a command again");
    assert_eq!(meaning(&again), meaning(request), "{}", line.escape_ascii());
}

/// Writes a command as a client does, unless no client would send its key.
fn write<'o>(
    out: &'o mut Vec<u8>,
    key: &MetaKey<'_>,
    flags: &Flags<'_>,
    plain: impl FnOnce(&'o mut Vec<u8>, &[u8]) -> Command<'o>,
    base64: impl FnOnce(&'o mut Vec<u8>, &[u8]) -> Command<'o>,
) {
    let mut scratch: KeyScratch = [0; _];
    let bytes = key.bytes(&mut scratch);
    let command = if key.is_base64() {
        if bytes.len() > BASE64_KEY_BYTES_MAX {
            return;
        }
        base64(out, bytes)
    } else if !is_sendable(bytes) {
        return;
    } else {
        plain(out, bytes)
    };
    // The client writes `b` first and by itself.
    let others = flags.in_order().filter(|flag| flag.letter != b'b');
    others.fold(command, Command::flag).end();
}

/// What a request asks for, without its spelling: base64 has several for one key, and `b` may stand anywhere.
fn meaning(request: &MetaRequest<'_>) -> impl PartialEq + std::fmt::Debug {
    let (kind, key, flags) = match request {
        MetaRequest::Get(get) => (0, &get.key, &get.flags),
        MetaRequest::Set(set) => (1 + u64::from(set.value_bytes) * 8, &set.key, &set.flags),
        MetaRequest::Delete(delete) => (2, &delete.key, &delete.flags),
        MetaRequest::Arith(arith) => (3, &arith.key, &arith.flags),
        MetaRequest::Debug(_) | MetaRequest::Error { .. } => return None,
    };
    let flags = flags.in_order().filter(|flag| flag.letter != b'b');
    let flags: Vec<(u8, Vec<u8>)> = flags
        .map(|flag| (flag.letter, flag.argument.to_vec()))
        .collect();
    Some((kind, key.bytes(&mut [0; _]).to_vec(), flags))
}

//! The binary protocol, as a server reads it.

use corecached_client::wire::binary as render;
use corecached_protocol::binary::{
    BODY_BYTES_MAX, BinaryRequest, BinaryStore, HEADER_BYTES, Head, Opcode, Parsed, parse,
};
use corecached_protocol::text::StoreVerb;

use super::{assert_inside, check_key, cuts};

/// Parses all of `bytes` as packets.
pub fn run(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        match parse(rest) {
            Parsed::Incomplete => return check_incomplete(rest),
            Parsed::NotAPacket => return assert!(rest.first().is_some_and(|&first| first != 0x80)),
            Parsed::Packet {
                consumed,
                head,
                request,
            } => {
                check_extent(rest, consumed, head, request);
                let value_bytes = check_request(&request, &rest[..consumed]);
                if !check_round_trip(head, &request) {
                    return;
                }
                let used = consumed.saturating_add(value_bytes);
                rest = &rest[used.min(rest.len())..];
            }
        }
    }
}

/// What is not a packet up to its value yet is short: nobody waits for more than a header, extras and a key.
fn check_incomplete(rest: &[u8]) {
    assert!(rest.first().is_none_or(|&first| first == 0x80));
    assert!(rest.len() < HEADER_BYTES + usize::from(u8::MAX) + 250);
}

fn check_extent(rest: &[u8], consumed: usize, head: Head, request: BinaryRequest<'_>) {
    assert!((HEADER_BYTES..=rest.len()).contains(&consumed));
    assert_eq!(head.opcode, rest[1]);
    assert_eq!(head.opaque.to_be_bytes(), rest[12..16]);
    let whole = Parsed::Packet {
        consumed,
        head,
        request,
    };
    assert_eq!(parse(&rest[..consumed]), whole);
    for end in cuts(consumed) {
        assert_eq!(parse(&rest[..end]), Parsed::Incomplete, "cut at {end}");
    }
}

/// Returns how many bytes of value follow the packet, or are to be dropped.
fn check_request(request: &BinaryRequest<'_>, packet: &[u8]) -> usize {
    use BinaryRequest as R;
    let quiet = Opcode::from_byte(packet[1]).is_some_and(Opcode::is_quiet);
    match *request {
        R::Get { key, quiet: q, .. }
        | R::GetAndTouch { key, quiet: q, .. }
        | R::Delete { key, quiet: q, .. }
        | R::Arith { key, quiet: q, .. } => {
            check_key(key, packet);
            assert_eq!(q, quiet);
        }
        R::Touch { key, .. } => check_key(key, packet),
        R::Store(store) => {
            check_key(store.key, packet);
            assert_eq!(store.quiet, quiet);
            assert_eq!(store.verb == StoreVerb::Cas, is_compare(&store));
            return store.value_bytes as usize;
        }
        R::SaslAuth {
            mechanism,
            value_bytes,
        }
        | R::SaslStep {
            mechanism,
            value_bytes,
        } => {
            assert!(!mechanism.is_empty());
            assert_inside(mechanism, packet);
            return value_bytes as usize;
        }
        R::Flush { quiet: q, .. } | R::Quit { quiet: q } => assert_eq!(q, quiet),
        R::Error { swallow, close, .. } => {
            assert!(swallow <= BODY_BYTES_MAX as usize && (swallow == 0 || !close));
            return swallow;
        }
        R::Noop | R::Version | R::Stat(_) | R::SaslList => {}
    }
    0
}

/// A cas unique makes a comparison of set, add and replace; append and prepend stay what they are.
fn is_compare(store: &BinaryStore<'_>) -> bool {
    store.cas != 0 && !matches!(store.verb, StoreVerb::Append | StoreVerb::Prepend)
}

/// Writes the packet as a client does and parses it again. `false` if the connection is of no more use.
fn check_round_trip(head: Head, request: &BinaryRequest<'_>) -> bool {
    let Some(opcode) = Opcode::from_byte(head.opcode) else {
        return true;
    };
    let mut out = Vec::new();
    match *request {
        BinaryRequest::Error { close, .. } => return !close,
        // A client does not send a value of gigabytes here.
        BinaryRequest::Store(store) => write_store(&mut out, opcode, head, &store),
        _ => write(&mut out, opcode, head, request),
    }
    if out.is_empty() {
        return true;
    }
    let Parsed::Packet {
        head: again,
        request: parsed,
        ..
    } = parse(&out)
    else {
        panic!("{} is a packet", out.escape_ascii());
    };
    assert_eq!(again, head);
    assert_eq!(without_length(&parsed), without_length(request));
    true
}

fn write_store(out: &mut Vec<u8>, opcode: Opcode, head: Head, store: &BinaryStore<'_>) {
    if matches!(store.verb, StoreVerb::Append | StoreVerb::Prepend) {
        return render::with_value(out, opcode, head.opaque, store.key, store.cas, b"");
    }
    let fields = (store.client_flags, store.exptime, store.cas);
    render::store(out, opcode, head.opaque, store.key, fields, b"");
}

fn write(out: &mut Vec<u8>, opcode: Opcode, head: Head, request: &BinaryRequest<'_>) {
    use BinaryRequest as R;
    let opaque = head.opaque;
    match *request {
        R::Get { key, .. } => render::keyed(out, opcode, opaque, key, 0),
        R::Delete { key, cas, .. } => render::keyed(out, opcode, opaque, key, cas),
        R::GetAndTouch { key, exptime, .. } | R::Touch { key, exptime } => {
            render::touch(out, opcode, opaque, key, exptime);
        }
        R::Arith {
            key,
            delta,
            create,
            cas: 0,
            ..
        } => render::arith(out, opcode, opaque, key, delta, create),
        R::Flush { exptime, .. } => render::flush(out, opcode, opaque, exptime),
        R::SaslAuth { mechanism, .. } | R::SaslStep { mechanism, .. } => {
            render::with_value(out, opcode, opaque, mechanism, 0, b"");
        }
        R::Noop | R::Version | R::Quit { .. } | R::SaslList => render::bare(out, opcode, opaque),
        // No client function sends these.
        R::Arith { .. } | R::Stat(_) | R::Store(_) | R::Error { .. } => {}
    }
}

/// The request, but for the length of a value that was not written again.
fn without_length<'a>(request: &BinaryRequest<'a>) -> BinaryRequest<'a> {
    let mut request = *request;
    match &mut request {
        BinaryRequest::Store(store) => store.value_bytes = 0,
        BinaryRequest::SaslAuth { value_bytes, .. }
        | BinaryRequest::SaslStep { value_bytes, .. } => *value_bytes = 0,
        _ => {}
    }
    request
}

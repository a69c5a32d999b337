//! The binary protocol: operations as packets, and packets as answers.

use crate::op::{Answer, Exptime, Mode, Seen, Verb};
use crate::text;
use crate::wire::{self, Wire};

const NOOP: u8 = 0x0a;
const HEADER_BYTES: usize = 24;
/// The reply to [`noop`].
pub(crate) const NOOP_REPLY: &[u8] = &[
    0x81, NOOP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'n', b'o', b'o', b'p', 0, 0, 0, 0, 0, 0, 0, 0,
];
/// A date that is long over: a negative number would be a date of the future.
const OVER: u32 = 60 * 60 * 24 * 30 + 1;

/// Appends a NOOP, whose reply tells that all before it was run.
pub(crate) fn noop(out: &mut Vec<u8>) {
    out.extend_from_slice(NOOP_REPLY);
    let begin = out.len() - HEADER_BYTES;
    out[begin] = 0x80;
}

fn exptime(exptime: Exptime, wire: &Wire) -> [u8; 4] {
    let number = match exptime {
        Exptime::Over => OVER,
        exptime => text::exptime(exptime, wire) as u32,
    };
    number.to_be_bytes()
}

/// What the packet of an operation has besides the key.
struct Fields {
    /// The opcode, and that of its quiet form.
    opcodes: (u8, u8),
    extras: Vec<u8>,
    value: String,
    cas: u64,
}

fn fields(verb: Verb, number: usize, wire: &Wire) -> Fields {
    let at = |at| exptime(at, wire);
    let mut cas = 0;
    let (opcode, quiet, extras, value) = match verb {
        Verb::Get(get) => {
            let (opcode, quiet) = match (get.touch.is_some(), number % 2) {
                (true, 0) => (0x1d, 0x1e),
                (true, _) => (0x23, 0x24),
                (false, 0) => (0x00, 0x09),
                (false, _) => (0x0c, 0x0d),
            };
            let extras = get.touch.map(|touch| at(touch).to_vec());
            (opcode, quiet, extras.unwrap_or_default(), None)
        }
        Verb::Store(store) => {
            cas = store.compare.unwrap_or(0);
            let (opcode, quiet) = match store.mode {
                Mode::Set => (0x01, 0x11),
                Mode::Add => (0x02, 0x12),
                Mode::Replace => (0x03, 0x13),
                Mode::Append => (0x0e, 0x19),
                Mode::Prepend => (0x0f, 0x1a),
            };
            let extras = match store.mode.joins() {
                true => Vec::new(),
                false => [store.flags.to_be_bytes(), at(store.exptime)].concat(),
            };
            let value = wire::value(&store, number, wire.values);
            (opcode, quiet, extras, Some(value))
        }
        Verb::Delete(delete) => {
            cas = delete.compare.unwrap_or(0);
            (0x04, 0x14, Vec::new(), None)
        }
        Verb::Count(count) => {
            cas = count.compare.unwrap_or(0);
            let (opcode, quiet) = if count.is_up {
                (0x05, 0x15)
            } else {
                (0x06, 0x16)
            };
            let (first, exptime) = match count.creates {
                Some((first, exptime)) => (first, at(exptime)),
                None => (0, [0xff; 4]),
            };
            let extras = [
                &count.delta.to_be_bytes()[..],
                &first.to_be_bytes(),
                &exptime,
            ]
            .concat();
            (opcode, quiet, extras, None)
        }
        Verb::Touch(exptime) => (0x1c, 0x1c, at(exptime).to_vec(), None),
        Verb::Flush(delay) => {
            let extras = delay.map(|delay| at(delay).to_vec());
            (0x08, 0x18, extras.unwrap_or_default(), None)
        }
    };
    Fields {
        opcodes: (opcode, quiet),
        extras,
        value: value.unwrap_or_default(),
        cas,
    }
}

/// Appends the request. `number` is the write that a store makes; it comes back in the reply.
pub(crate) fn ask(
    verb: Verb,
    (number, key): (usize, usize),
    is_quiet: bool,
    wire: &Wire,
    out: &mut Vec<u8>,
) {
    let Fields {
        opcodes: (opcode, quiet),
        extras,
        value,
        cas,
    } = fields(verb, number, wire);
    let name = match verb {
        Verb::Flush(_) => String::new(),
        _ => wire.name(key),
    };
    let body = name.len() + extras.len() + value.len();
    out.extend_from_slice(&[0x80, if is_quiet { quiet } else { opcode }]);
    out.extend_from_slice(&(name.len() as u16).to_be_bytes());
    out.extend_from_slice(&[extras.len() as u8, 0, 0, 0]);
    out.extend_from_slice(&(body as u32).to_be_bytes());
    out.extend_from_slice(&(key as u32).to_be_bytes());
    out.extend_from_slice(&cas.to_be_bytes());
    out.extend_from_slice(&[&extras, name.as_bytes(), value.as_bytes()].concat());
}

/// The answer of a packet, and its length; `None` if not all of it has come.
pub(crate) fn answer(verb: Verb, key: usize, bytes: &[u8], wire: &Wire) -> Option<(usize, Answer)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let number = |at: usize, len: usize| {
        let bytes = header[at..at + len].iter();
        bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    assert_eq!(header[0], 0x81, "{header:?}");
    assert_eq!(number(12, 4), key as u64, "of another request");
    let body = bytes.get(HEADER_BYTES..HEADER_BYTES + number(8, 4) as usize)?;
    let (extras, body) = body.split_at(header[4].into());
    let (name, value) = body.split_at(number(2, 2) as usize);
    assert!(name.is_empty() || name == wire.name(key).as_bytes());
    let cas = Some(number(16, 8)).filter(|&cas| cas != 0);
    let compares = matches!(verb, Verb::Store(store) if store.compare.is_some());
    let mode = match verb {
        Verb::Store(store) => Some(store.mode),
        _ => None,
    };
    let flags = || Some(u32::from_be_bytes(extras.try_into().expect("flags")));
    let answer = match (number(6, 2), verb) {
        (0, Verb::Get(_)) => Answer::Hit(Seen {
            value: Some(wire.read(key, value)),
            flags: flags(),
            cas,
            ..Seen::default()
        }),
        (0, Verb::Store(_)) => Answer::Stored { cas, len: None },
        (0, Verb::Delete(_)) => Answer::Deleted,
        (0, Verb::Count(_)) => Answer::Number {
            value: Some(u64::from_be_bytes(value.try_into().expect("8 bytes"))),
            cas,
            ttl: None,
        },
        (0, Verb::Touch(_)) => Answer::Touched,
        (0, Verb::Flush(_)) => Answer::Flushed,
        (1, _) if mode == Some(Mode::Replace) && !compares => Answer::NotStored,
        (1, _) => Answer::Absent,
        (2, _) if mode == Some(Mode::Add) => Answer::NotStored,
        (2, _) => Answer::Exists,
        (5, _) => Answer::NotStored,
        (6, _) => Answer::NonNumeric,
        (0x82, _) => Answer::Refused,
        (status, _) => panic!("status {status} to {verb:?}"),
    };
    Some((HEADER_BYTES + number(8, 4) as usize, answer))
}

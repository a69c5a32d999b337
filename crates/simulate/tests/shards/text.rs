//! The classic text protocol: operations as lines, and lines as answers.

use crate::op::{Answer, Count, Delete, Exptime, Get, Mode, Seen, Store, Verb};
use crate::wire::{self, Wire};

pub(crate) fn exptime(exptime: Exptime, wire: &Wire) -> i64 {
    match exptime {
        Exptime::Never => 0,
        Exptime::Over => -1,
        Exptime::In(seconds) => i64::from(seconds),
        Exptime::At(second) => wire.unix_origin + i64::from(second),
    }
}

/// Appends the request. `number` is the write that a store makes.
pub(crate) fn ask(
    verb: Verb,
    (number, key): (usize, usize),
    is_silent: bool,
    wire: &Wire,
    out: &mut Vec<u8>,
) {
    let name = wire.name(key);
    let noreply = if is_silent { " noreply" } else { "" };
    let at = |at| exptime(at, wire);
    let line = match verb {
        Verb::Store(store) => {
            let value = wire::value(&store, number, wire.values);
            let cas = store.compare.map_or(String::new(), |cas| format!(" {cas}"));
            let (flags, len) = (store.flags, value.len());
            format!(
                "{} {name} {flags} {} {len}{cas}{noreply}\r\n{value}",
                command(&store),
                at(store.exptime)
            )
        }
        Verb::Delete(Delete { .. }) => format!("delete {name}{noreply}"),
        Verb::Count(Count { is_up, delta, .. }) => {
            let command = if is_up { "incr" } else { "decr" };
            format!("{command} {name} {delta}{noreply}")
        }
        Verb::Touch(exptime) => format!("touch {name} {}{noreply}", at(exptime)),
        Verb::Flush(None) => format!("flush_all{noreply}"),
        Verb::Flush(Some(delay)) => format!("flush_all {}{noreply}", at(delay)),
        Verb::Get(_) => panic!("lookups may have several keys"),
    };
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn command(store: &Store) -> &'static str {
    match store.mode {
        Mode::Set if store.compare.is_some() => "cas",
        Mode::Set => "set",
        Mode::Add => "add",
        Mode::Replace => "replace",
        Mode::Append => "append",
        Mode::Prepend => "prepend",
    }
}

/// Appends a lookup of some keys.
pub(crate) fn ask_for(get: Get, keys: &[usize], with_cas: bool, wire: &Wire, out: &mut Vec<u8>) {
    let names: Vec<_> = keys.iter().map(|&key| wire.name(key)).collect();
    let s = if with_cas { "s" } else { "" };
    let verb = match get.touch {
        Some(touch) => format!("gat{s} {}", exptime(touch, wire)),
        None => format!("get{s}"),
    };
    out.extend_from_slice(format!("{verb} {}\r\n", names.join(" ")).as_bytes());
}

/// The answer that a line is.
pub(crate) fn answer(line: &str) -> Answer {
    match line {
        "STORED" => Answer::Stored {
            cas: None,
            len: None,
        },
        "NOT_STORED" => Answer::NotStored,
        "EXISTS" => Answer::Exists,
        "NOT_FOUND" => Answer::Absent,
        "DELETED" => Answer::Deleted,
        "TOUCHED" => Answer::Touched,
        "OK" => Answer::Flushed,
        _ => error(line).unwrap_or_else(|| Answer::Number {
            value: Some(line.parse().unwrap_or_else(|_| panic!("{line:?}"))),
            cas: None,
            ttl: None,
        }),
    }
}

/// The answer that a line about an error is.
pub(crate) fn error(line: &str) -> Option<Answer> {
    if line.starts_with("SERVER_ERROR") && line.contains("ut of memory") {
        Some(Answer::Refused)
    } else if line == "CLIENT_ERROR cannot increment or decrement non-numeric value" {
        Some(Answer::NonNumeric)
    } else {
        None
    }
}

/// The answers of a lookup of these keys, and the length of all; `None` if not all of it has come.
pub(crate) fn values(
    keys: &[usize],
    with_cas: bool,
    bytes: &[u8],
    wire: &Wire,
) -> Option<(usize, Vec<Answer>)> {
    let mut at = 0;
    let mut answers = Vec::new();
    loop {
        let line = wire::line(&bytes[at..])?;
        let end = at + line.len() + 2;
        if line == "END" || line.starts_with("SERVER_ERROR") {
            let is_refused = line != "END";
            assert!(!is_refused || error(line).is_some(), "{line:?}");
            // What comes behind an error was not answered, and what was found before it counts.
            let rest = if is_refused {
                Answer::Refused
            } else {
                Answer::Absent
            };
            answers.resize(keys.len(), rest);
            return Some((end, answers));
        }
        let words: Vec<&str> = line.split(' ').collect();
        let expected = if with_cas { 5 } else { 4 };
        assert_eq!((words[0], words.len()), ("VALUE", expected), "{line:?}");
        let len: usize = words[3].parse().expect("a length");
        let value = bytes.get(end..end + len + 2)?;
        assert_eq!(&value[len..], b"\r\n", "behind {line:?}");
        let found = keys[answers.len()..]
            .iter()
            .position(|&key| wire.name(key) == words[1]);
        let found = found.unwrap_or_else(|| panic!("{line:?} was not asked for"));
        answers.extend((0..found).map(|_| Answer::Absent));
        let key = keys[answers.len()];
        answers.push(Answer::Hit(Seen {
            value: Some(wire.read(key, &value[..len])),
            flags: Some(words[2].parse().expect("flags")),
            cas: words.get(4).map(|cas| cas.parse().expect("a cas unique")),
            ..Seen::default()
        }));
        at = end + len + 2;
    }
}

//! Meta commands: operations as lines with flags, and lines as answers.

use crate::op::{Answer, Mode, Seen, Verb};
use crate::text::{error, exptime};
use crate::wire::{self, Wire};

/// What of an item a lookup wants to see: letters of flags.
pub(crate) const WISHES: [&str; 6] = ["v", "v c f", "v t h", "v f s c t h", "c t s", ""];

/// Appends the request. `more` are flags that ask for something in the reply.
pub(crate) fn ask(
    verb: Verb,
    (number, key): (usize, usize),
    more: &str,
    wire: &Wire,
    out: &mut Vec<u8>,
) {
    let name = wire.name(key);
    let (name, b) = match number % 5 {
        0 => (base64(name.as_bytes()), " b"),
        _ => (name, ""),
    };
    let mut flags = format!("{b} {more}");
    let (command, value) = act(verb, number, wire, &mut flags);
    let line = match value {
        Some(value) => format!("{command} {name} {}{flags}\r\n{value}\r\n", value.len()),
        None => format!("{command} {name}{flags}\r\n"),
    };
    out.extend_from_slice(line.as_bytes());
}

/// Appends the flags that say what is done. Returns the command, and the value of a store.
fn act(
    verb: Verb,
    number: usize,
    wire: &Wire,
    flags: &mut String,
) -> (&'static str, Option<String>) {
    let mut flag = |letter: &str, argument: Option<String>| {
        if let Some(argument) = argument {
            flags.push_str(&format!(" {letter}{argument}"));
        }
    };
    let text = |cas: Option<u64>| cas.map(|cas| cas.to_string());
    let at = |at| exptime(at, wire).to_string();
    let is = |is: bool| is.then(String::new);
    match verb {
        Verb::Get(get) => {
            flag("R", get.recache.map(|seconds| seconds.to_string()));
            flag("T", get.touch.map(at));
            flag("u", is(get.is_silent));
            flag("N", get.vivify.map(at));
            flag("E", text(get.new_cas));
            ("mg", None)
        }
        Verb::Store(store) => {
            let mode = match store.mode {
                Mode::Set => "S",
                Mode::Add => "E",
                Mode::Append => "A",
                Mode::Prepend => "P",
                Mode::Replace => "R",
            };
            flag("M", Some(mode.to_owned()));
            flag("C", text(store.compare));
            flag("E", text(store.new_cas));
            flag("I", is(store.invalidates));
            flag("F", Some(store.flags.to_string()));
            flag("T", Some(at(store.exptime)));
            flag("N", store.creates.map(at));
            ("ms", Some(wire::value(&store, number, wire.values)))
        }
        Verb::Delete(delete) => {
            flag("C", text(delete.compare));
            flag("E", text(delete.new_cas));
            flag("I", is(delete.stales));
            flag("x", is(delete.empties.is_some()));
            flag("F", delete.empties.map(|flags| flags.to_string()));
            flag("T", delete.exptime.map(at));
            ("md", None)
        }
        Verb::Count(count) => {
            flag("M", Some(if count.is_up { "I" } else { "D" }.to_owned()));
            flag("D", Some(count.delta.to_string()));
            flag("C", text(count.compare));
            flag("E", text(count.new_cas));
            flag("T", count.exptime.map(at));
            flag("N", count.creates.map(|(_, exptime)| at(exptime)));
            flag("J", count.creates.map(|(first, _)| first.to_string()));
            ("ma", None)
        }
        Verb::Touch(_) | Verb::Flush(_) => panic!("there is no such meta command"),
    }
}

/// The answer of a reply, and its length; `None` if not all of it has come.
pub(crate) fn answer(
    verb: Verb,
    key: usize,
    opaque: Option<&str>,
    bytes: &[u8],
    wire: &Wire,
) -> Option<(usize, Answer)> {
    let line = wire::line(bytes)?;
    let mut end = line.len() + 2;
    let mut words = line.split(' ');
    let status = words.next().unwrap_or("");
    let value = match status {
        "VA" => {
            let len: usize = words.next()?.parse().expect("a length");
            let value = bytes.get(end..end + len + 2)?;
            assert_eq!(&value[len..], b"\r\n", "behind {line:?}");
            end += len + 2;
            Some(&value[..len])
        }
        _ => None,
    };
    let words: Vec<_> = words.collect();
    let argument = |letter: char| words.iter().find_map(|word| word.strip_prefix(letter));
    let is_error = status.ends_with("ERROR");
    assert!(is_error || argument('O') == opaque, "{line:?}");
    let number = |letter| argument(letter).map(|text| text.parse::<u64>().expect("a number"));
    let ttl = argument('t').map(|ttl| (ttl != "-1").then(|| ttl.parse().expect("seconds")));
    let answer = match (status, verb) {
        ("EN" | "NF", _) => Answer::Absent,
        ("NS", _) => Answer::NotStored,
        ("EX", _) => Answer::Exists,
        ("HD" | "VA", Verb::Get(_)) => Answer::Hit(Seen {
            value: value.map(|value| wire.read(key, value)),
            len: number('s').map(|len| len as usize),
            flags: number('f').map(|flags| flags as u32),
            cas: number('c'),
            ttl,
            was_fetched: argument('h').map(|was_fetched| was_fetched == "1"),
            is_stale: Some(words.contains(&"X")),
            was_won: Some(words.contains(&"Z")),
            wins: words.contains(&"W"),
        }),
        ("HD", Verb::Store(_)) => Answer::Stored {
            cas: number('c'),
            len: number('s').map(|len| len as usize),
        },
        ("HD", Verb::Delete(_)) => Answer::Deleted,
        ("HD" | "VA", Verb::Count(_)) => {
            let text = value.map(String::from_utf8_lossy);
            Answer::Number {
                value: text.map(|text| text.parse().unwrap_or_else(|_| panic!("{text:?}"))),
                cas: number('c'),
                ttl,
            }
        }
        _ => error(line).unwrap_or_else(|| panic!("{line:?} to {verb:?}")),
    };
    Some((end, answer))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = move |at: usize, len: usize| match at <= len {
            true => char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]),
            false => '=',
        };
        let len = three.len();
        (0..4).map(move |at| letter(at, len)).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

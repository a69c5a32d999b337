//! Requests of the classic text protocol.
//!
//! ```text
//!   well formed            set k1 0 0 5\r\nhello\r\n
//!   words changed          set k1 -1 0 5\r\nhello\r\n        dropped, doubled, replaced, swapped, spaces, line ends
//!   length wrong           set k1 0 0 3\r\nhello\r\n         too short: the rest is read as commands
//!                          set k1 0 0 6\r\nhello\r\n#######\r\n   too long: the filler ends it
//!   not a command at all   \x00\xff k1\r\n
//! ```
//!
//! Keys `n0` to `n3` hold numbers only, so that the padding that decr may leave never gets into other values.

use super::{CAS_END, CAS_OF, NUMBERS};
use crate::Choices;

const STORES: [&str; 6] = ["set", "add", "replace", "append", "prepend", "cas"];
const NUMBER_KEYS: [&str; 4] = ["n0", "n1", "n2", "n3"];
const KEYS: [&str; 10] = [
    "k0", "k1", "k2", "k3", "k4", "k:5", "k\t6", "k\x7f7", "noreply", "0",
];
const FLAGS: [&str; 6] = ["0", "0", "1", "65535", "4294967295", "4294967296"];
/// Far from any moment at which the test could run.
const EXPTIMES: [&str; 8] = [
    "0",
    "0",
    "0",
    "1000",
    "2592000",
    "4000000000",
    "-1",
    "2592001",
];
const BAD_WORDS: [&str; 22] = [
    "",
    "-",
    "+",
    "-1",
    "+1",
    "abc",
    "1a",
    "a1",
    "0x10",
    "1.5",
    "2147483646",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999",
    "00000000000000000000001",
    "noreply",
    "NOREPLY",
    "\u{ff}\u{fe}",
];
const UNKNOWN: [&str; 17] = [
    "",
    "a",
    "bget k0",
    "bget k0 k1",
    "foo noreply",
    "GET k0",
    "Set k0 0 0 1",
    "getx k0",
    "foo",
    "foo bar baz",
    "gets_ k1",
    "\t get k0",
    "\u{0} \u{1}",
    "incrr n0 1",
    "stat",
    "shutdow",
    "touchk k0 0",
];
/// Lengths of values: empty, short, around the sizes at which a server may change how it keeps one.
const VALUE_LENGTHS: [usize; 14] = [
    0, 1, 2, 5, 10, 40, 100, 500, 1024, 4095, 4096, 5000, 17_000, 40_000,
];

/// One whole request. `max` bounds the length of its value.
#[must_use]
pub fn request(choices: &mut Choices<'_>, max: usize) -> Vec<u8> {
    match choices.below(20) {
        0..=5 => retrieval(choices),
        6..=11 => store(choices, max),
        12..=14 => arithmetic(choices),
        15..=16 => keyed(choices),
        17 => admin(choices),
        18 => number(choices),
        _ => unknown(choices),
    }
}

/// A line as words, with what follows it.
struct Line {
    words: Vec<Vec<u8>>,
    data: Vec<u8>,
}

impl Line {
    fn of(words: &[&str]) -> Self {
        Line {
            words: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
            data: Vec::new(),
        }
    }

    fn maybe_noreply(mut self, choices: &mut Choices<'_>) -> Self {
        if choices.one_in(6) {
            self.words.push(b"noreply".to_vec());
        }
        self
    }

    /// The bytes; in one of four cases something is wrong with the words.
    fn write(mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        if choices.one_in(4) {
            spoil(&mut self.words, choices);
        }
        let mut out = Vec::new();
        if choices.one_in(60) {
            out.push(b' ');
        }
        for (at, word) in self.words.iter().enumerate() {
            if at > 0 {
                let spaces = if choices.one_in(20) { 3 } else { 1 };
                out.extend(std::iter::repeat_n(b' ', spaces));
            }
            out.extend_from_slice(word);
        }
        if choices.one_in(30) {
            out.extend_from_slice(b"  ");
        }
        out.extend_from_slice(if choices.one_in(10) { b"\n" } else { b"\r\n" });
        out.extend_from_slice(&self.data);
        out
    }
}

/// Changes a word or two, but never the first: it decides whether data follows.
fn spoil(words: &mut Vec<Vec<u8>>, choices: &mut Choices<'_>) {
    let at = 1 + choices.below(words.len().max(2) - 1);
    if at >= words.len() {
        return words.push(choices.of(&BAD_WORDS).as_bytes().to_vec());
    }
    match choices.below(7) {
        0 | 1 => words[at] = choices.of(&BAD_WORDS).as_bytes().to_vec(),
        2 => drop(words.remove(at)),
        3 => words.truncate(at),
        4 => words.insert(at, choices.of(&BAD_WORDS).as_bytes().to_vec()),
        5 => words[1] = vec![b'l'; 249 + choices.below(4)],
        _ => words.push(choices.of(&BAD_WORDS).as_bytes().to_vec()),
    }
}

fn key(choices: &mut Choices<'_>) -> &'static str {
    choices.of(&KEYS)
}

fn retrieval(choices: &mut Choices<'_>) -> Vec<u8> {
    let word = choices.of(&["get", "get", "get", "gets", "gets", "gat", "gats"]);
    let mut line = Line::of(&[word]);
    if word.starts_with("gat") {
        line.words.push(choices.of(&EXPTIMES).into());
    }
    let count = if choices.one_in(3) {
        1 + choices.below(9)
    } else {
        1
    };
    for _ in 0..count {
        let numbers = choices.one_in(4);
        let key = if numbers {
            choices.of(&NUMBER_KEYS)
        } else {
            key(choices)
        };
        line.words.push(key.into());
    }
    line.write(choices)
}

fn store(choices: &mut Choices<'_>, max: usize) -> Vec<u8> {
    let word = choices.of(&STORES);
    let key = key(choices);
    let length = VALUE_LENGTHS[choices.below(VALUE_LENGTHS.len())].min(max);
    let well_formed = !choices.one_in(5);
    let value = if well_formed {
        value(choices, length)
    } else {
        vec![b'v'; length.max(4)]
    };
    let announced = match choices.below(8) {
        _ if well_formed => value.len(),
        // What is left over is a line of four bytes or more: shorter ones are another matter.
        0..=2 => value.len().saturating_sub(4),
        3..=5 => value.len() + 1 + choices.below(6),
        _ => value.len(),
    };
    let mut line = Line::of(&[word, key, choices.of(&FLAGS), choices.of(&EXPTIMES)]);
    line.words.push(announced.to_string().into_bytes());
    if word == "cas" {
        line.words.push(cas(choices, key));
    }
    line.data.extend_from_slice(&value);
    line.data.extend_from_slice(b"\r\n");
    if announced > value.len() {
        line.data.extend_from_slice(b"################\r\n");
    }
    let mut line = line.maybe_noreply(choices);
    if !well_formed && announced == value.len() {
        spoil(&mut line.words, choices);
    }
    if well_formed {
        // Its length is right, so its words have to stay: a value of any bytes must not be read as commands.
        return Line {
            data: Vec::new(),
            ..line
        }
        .tidy(&value, choices);
    }
    line.write(choices)
}

impl Line {
    /// The bytes, with words left as they are, and a value that may hold anything.
    fn tidy(self, value: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
        let mut out = self.words.join(&b' ');
        out.extend_from_slice(if choices.one_in(10) { b"\n" } else { b"\r\n" });
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// The right cas unique more often than not.
fn cas(choices: &mut Choices<'_>, key: &str) -> Vec<u8> {
    match choices.below(8) {
        0 => b"0".to_vec(),
        1 => b"1".to_vec(),
        2 => b"18446744073709551615".to_vec(),
        _ => [CAS_OF, key.as_bytes(), &[CAS_END]].concat(),
    }
}

/// A value of text, of any bytes, or of what looks like the protocol itself.
fn value(choices: &mut Choices<'_>, length: usize) -> Vec<u8> {
    let pattern: Vec<u8> = match choices.below(4) {
        0 => choices.bytes(16),
        1 => b"END\r\nVALUE k0 0 1\r\nx\r\nSTORED\r\n".to_vec(),
        2 => b"get k0\r\nset k1 0 0 1\r\n".to_vec(),
        _ => b"abcdefghij klmnop".to_vec(),
    };
    pattern.into_iter().cycle().take(length).collect()
}

/// Sets a key that holds numbers to one, or to what almost is one.
fn number(choices: &mut Choices<'_>) -> Vec<u8> {
    let number = choices.of(&NUMBERS);
    let key = choices.of(&NUMBER_KEYS);
    let flags = choices.of(&FLAGS);
    format!("set {key} {flags} 0 {}\r\n{number}\r\n", number.len()).into_bytes()
}

fn arithmetic(choices: &mut Choices<'_>) -> Vec<u8> {
    let word = choices.of(&["incr", "decr"]);
    let numbers = !choices.one_in(8);
    let key = if numbers {
        choices.of(&NUMBER_KEYS)
    } else {
        key(choices)
    };
    let deltas = [
        "1",
        "1",
        "5",
        "10",
        "1000",
        "0",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "x",
    ];
    let line = Line::of(&[word, key, choices.of(&deltas)]);
    line.maybe_noreply(choices).write(choices)
}

fn keyed(choices: &mut Choices<'_>) -> Vec<u8> {
    let numbers = choices.one_in(4);
    let key = if numbers {
        choices.of(&NUMBER_KEYS)
    } else {
        key(choices)
    };
    let line = if choices.one_in(2) {
        Line::of(&["touch", key, choices.of(&EXPTIMES)])
    } else {
        Line::of(&["delete", key])
    };
    line.maybe_noreply(choices).write(choices)
}

fn admin(choices: &mut Choices<'_>) -> Vec<u8> {
    let line = match choices.below(7) {
        0 | 1 => Line::of(&["flush_all"]),
        2 => Line::of(&["flush_all", choices.of(&["0", "-1", "x", "1000000"])]),
        3 => Line::of(&["verbosity", choices.of(&["0", "0", "x", "-1"])]),
        4 => Line::of(&[
            "stats",
            choices.of(&["reset", "detail", "cachedump", "nosuch", "items2"]),
        ]),
        5 => Line::of(&[
            "cache_memlimit",
            choices.of(&["1", "7", "x", "-1", "64", "1000000001"]),
        ]),
        _ => Line::of(&["shutdown", choices.of(&["now", "x", "graceful"])]),
    };
    line.maybe_noreply(choices).write(choices)
}

fn unknown(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut line = choices.of(&UNKNOWN).as_bytes().to_vec();
    if choices.one_in(4) {
        line = choices.bytes(8);
        line.retain(|&byte| byte != b'\n' && byte != b' ');
        line.insert(0, b'~');
    }
    line.extend_from_slice(b"\r\n");
    line
}

//! Requests of the meta commands, with some of the text protocol among them that change the same items.
//!
//! ```text
//!   well formed            mg k1 v t c k O17
//!   flags changed          mg k1 v v      mg k1 Tx      mg k1 !      doubled, unknown, without their number, too many
//!   length wrong           ms k1 3\r\nhello\r\n         too short: the rest is read as commands
//! ```
//!
//! Keys `n0` to `n3` hold numbers only, and are never stale nor won: what incr makes of such an item depends in
//! memcached on how long the number is, and on replies that are not sent yet.

use super::{CAS_END, CAS_OF, NUMBERS};
use crate::Choices;

const KEYS: [&str; 6] = ["k0", "k1", "k2", "k3", "k:4", "k\t5"];
const NUMBER_KEYS: [&str; 4] = ["n0", "n1", "n2", "n3"];
/// Three are of bytes that cannot stand on a line. None is another one's name.
const BASE64_KEYS: [&str; 5] = ["YTA=", "YTE=", "AAEgDQr/", "/w==", "IA=="];
const BAD_BASE64: [&str; 4] = ["Zm9", "Zm!v", "=mmm", "k"];
/// Far from any moment at which the test could run, and from each other.
const EXPTIMES: [&str; 6] = ["0", "0", "1000", "50000", "2147483646", "-1"];
const RECACHE: [&str; 5] = ["0", "-1", "30", "20000", "1000000"];
/// What a flag can look like that is none, or has an argument that is none.
const BAD_FLAGS: [&str; 26] = [
    "!",
    "{",
    "~x",
    "y",
    "5",
    "T",
    "Tx",
    "T5x",
    "T2147483648",
    "T99999999999",
    "R",
    "Rx",
    "N9x",
    "C",
    "Cx",
    "C-1",
    "C18446744073709551616",
    "D-1",
    "Dx",
    "Jx",
    "Fx",
    "F-1",
    "F4294967296",
    "v",
    "M",
    "Mxyz",
];
/// Lengths of values: empty, short, around the sizes at which a server may change how it keeps one.
const VALUE_LENGTHS: [usize; 9] = [0, 1, 2, 10, 100, 1024, 4095, 5000, 17_000];

/// One whole request; `number` is what its opaque shows.
#[must_use]
pub fn request(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    match choices.below(24) {
        0..=7 => get(choices, number),
        8..=13 => set(choices, number),
        14 | 15 => delete(choices, number),
        16..=19 => arith(choices, number),
        20 => number_set(choices, number),
        21 => debug(choices),
        _ => text(choices),
    }
}

/// A line of words.
struct Line(Vec<Vec<u8>>);

impl Line {
    fn of(word: &str, key: &str) -> Self {
        Line(vec![word.into(), key.into()])
    }

    /// Adds a flag once in `n` times.
    fn maybe(&mut self, choices: &mut Choices<'_>, n: usize, flag: &str) {
        if choices.one_in(n) {
            self.0.push(flag.into());
        }
    }

    /// Adds a flag with one of the arguments once in `n` times.
    fn maybe_of(&mut self, choices: &mut Choices<'_>, n: usize, letter: &str, arguments: &[&str]) {
        if choices.one_in(n) {
            let argument = choices.of(arguments);
            self.0.push(format!("{letter}{argument}").into());
        }
    }

    /// Adds `C` once in `n` times, with the right cas unique more often than not.
    fn maybe_compare(&mut self, choices: &mut Choices<'_>, n: usize) {
        if !choices.one_in(n) {
            return;
        }
        let argument = match choices.below(6) {
            0 => b"0".to_vec(),
            1 => b"18446744073709551615".to_vec(),
            _ => [CAS_OF, &self.0[1], &[CAS_END]].concat(),
        };
        self.0.push([b"C", &argument[..]].concat());
    }

    /// Flags that all commands share.
    fn common(&mut self, choices: &mut Choices<'_>, number: usize) {
        if !choices.one_in(3) {
            self.0.push(format!("O{number}").into());
        }
        self.maybe(choices, 6, "q");
        self.maybe(choices, 40, "P1");
        self.maybe(choices, 40, "Lx");
        self.maybe(choices, 60, "Oxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }

    /// The line with its end. Flags stand in any order; in one of six cases something is wrong with them.
    fn write(mut self, choices: &mut Choices<'_>, words_before: usize) -> Vec<u8> {
        for at in (words_before + 1..self.0.len()).rev() {
            let other = words_before + choices.below(at + 1 - words_before);
            self.0.swap(at, other);
        }
        if choices.one_in(6) {
            spoil(&mut self.0, choices, words_before);
        }
        let spaces: &[u8] = if choices.one_in(20) { b"  " } else { b" " };
        let mut out = self.0.join(spaces);
        out.extend_from_slice(if choices.one_in(10) { b"\n" } else { b"\r\n" });
        out
    }
}

fn spoil(words: &mut Vec<Vec<u8>>, choices: &mut Choices<'_>, words_before: usize) {
    match choices.below(8) {
        0 => words.truncate(1 + choices.below(2)),
        1 => words[1] = vec![b'l'; 249 + choices.below(4)],
        2 => words.extend((0..23).map(|_| b"v".to_vec())),
        3 if words.len() > words_before => words.push(words[words_before].clone()),
        4 => {
            words[1] = choices.of(&BAD_BASE64).into();
            words.push(b"b".to_vec());
        }
        _ => words.push(choices.of(&BAD_FLAGS).into()),
    }
}

/// A line whose key may be in base64.
fn line(choices: &mut Choices<'_>, word: &str) -> Line {
    if choices.one_in(4) {
        let mut line = Line::of(word, choices.of(&BASE64_KEYS));
        line.0.push(b"b".to_vec());
        return line;
    }
    Line::of(word, choices.of(&KEYS))
}

fn get(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    let numbers = choices.one_in(4);
    let mut line = if numbers {
        Line::of("mg", choices.of(&NUMBER_KEYS))
    } else {
        line(choices, "mg")
    };
    line.maybe(choices, 2, "v");
    line.maybe(choices, 2, "k");
    line.maybe(choices, 3, "f");
    line.maybe(choices, 3, "t");
    line.maybe(choices, 2, "c");
    if !numbers {
        for flag in ["h", "s", "u", "l"] {
            line.maybe(choices, 5, flag);
        }
        line.maybe_of(choices, 5, "R", &RECACHE);
        line.maybe_of(choices, 6, "N", &EXPTIMES);
        line.maybe(choices, 40, "E9223372036854775807");
    }
    line.maybe_of(choices, 6, "T", &EXPTIMES);
    line.maybe_compare(choices, 20);
    line.maybe(choices, 30, "MX");
    line.common(choices, number);
    line.write(choices, 2)
}

fn set(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    let mut line = line(choices, "ms");
    let length = VALUE_LENGTHS[choices.below(VALUE_LENGTHS.len())];
    let value = vec![b'a' + choices.below(26) as u8; length];
    line.0.insert(2, length.to_string().into_bytes());
    line.maybe(choices, 2, "k");
    line.maybe(choices, 3, "c");
    line.maybe(choices, 30, "s");
    line.maybe_of(choices, 2, "T", &EXPTIMES);
    line.maybe_of(choices, 3, "F", &["0", "1", "65535", "4294967295", "+7"]);
    let modes = ["S", "E", "A", "A", "P", "R", "A", "P", "X", "s"];
    line.maybe_of(choices, 2, "M", &modes);
    line.maybe_compare(choices, 3);
    line.maybe(choices, 4, "I");
    line.maybe_of(choices, 30, "N", &EXPTIMES);
    line.maybe(choices, 60, "E9223372036854775807");
    line.common(choices, number);
    match choices.below(30) {
        // What is left over is a line of four bytes or more: shorter ones are another matter.
        0 if length >= 6 => line.0[2] = (length - 5).to_string().into_bytes(),
        1 => line.0[2] = choices.of(&["x", "-1", "2x"]).into(),
        2 => line.0[2] = format!("{:014}", length).into_bytes(),
        _ => {}
    }
    let mut out = line.write(choices, 3);
    out.extend_from_slice(&value);
    out.extend_from_slice(b"\r\n");
    out
}

fn delete(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    let numbers = choices.one_in(6);
    let mut line = if numbers {
        Line::of("md", choices.of(&NUMBER_KEYS))
    } else {
        line(choices, "md")
    };
    if !numbers && !choices.one_in(4) {
        line.0.push(b"I".to_vec());
    }
    line.maybe(choices, 3, "k");
    line.maybe_of(choices, 3, "T", &EXPTIMES);
    line.maybe_compare(choices, 3);
    line.maybe(choices, 20, "x");
    line.maybe(choices, 40, "E9223372036854775807");
    line.common(choices, number);
    line.write(choices, 2)
}

fn arith(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    let numbers = !choices.one_in(8);
    let mut line = if numbers {
        Line::of("ma", choices.of(&NUMBER_KEYS))
    } else {
        line(choices, "ma")
    };
    if numbers {
        line.maybe_of(choices, 3, "N", &["0", "0", "1000", "50000"]);
    }
    line.maybe_of(choices, 3, "J", &["0", "7", "99", "18446744073709551615"]);
    line.maybe_of(
        choices,
        2,
        "D",
        &["0", "2", "10", "+5", "18446744073709551615"],
    );
    line.maybe_of(choices, 2, "M", &["I", "D", "+", "-", "D", "D", "X", "i"]);
    line.maybe_of(choices, 6, "T", &["0", "1000", "50000", "2147483646"]);
    line.maybe_compare(choices, 4);
    for flag in ["v", "t", "c", "k"] {
        line.maybe(choices, 2, flag);
    }
    line.maybe(choices, 40, "E9223372036854775807");
    line.common(choices, number);
    line.write(choices, 2)
}

/// Sets a key that holds numbers to one, or to what almost is one.
fn number_set(choices: &mut Choices<'_>, number: usize) -> Vec<u8> {
    let value = choices.of(&NUMBERS);
    let key = choices.of(&NUMBER_KEYS);
    format!("ms {key} {} k c O{number}\r\n{value}\r\n", value.len()).into_bytes()
}

fn debug(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut line = line(choices, "me");
    line.maybe(choices, 8, "v");
    line.0.join(&b' ').into_iter().chain(*b"\r\n").collect()
}

fn text(choices: &mut Choices<'_>) -> Vec<u8> {
    let key = choices.of(&KEYS);
    match choices.below(6) {
        0 => format!("set {key} 3 1000 5\r\nhello\r\n"),
        1 => format!("append {key} 0 0 2\r\nxy\r\n"),
        2 => format!("touch {key} {}\r\n", choices.of(&["0", "1000", "50000"])),
        3 => format!("delete {key}\r\n"),
        4 => format!("incr {} 3\r\n", choices.of(&NUMBER_KEYS)),
        _ => format!("replace {key} 9 0 4\r\nabcd\r\n"),
    }
    .into_bytes()
}

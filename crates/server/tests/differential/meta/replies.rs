//! A stream of replies as units that can be compared.

use corecached_client::wire::line::{Part, ReplyParser, Step};

use crate::cas::CasPairs;
use crate::lines::Needed;

/// How much later the second server may have been asked, in seconds.
const LATER: u64 = 60;

/// A reply line, with the value behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// With its end.
    pub(super) line: Vec<u8>,
    data: Option<Vec<u8>>,
}

impl Unit {
    /// For people.
    pub(super) fn show(&self) -> String {
        let data = self.data.as_deref().unwrap_or_default();
        let shown = data[..data.len().min(40)].escape_ascii();
        format!("{} {shown}", self.line.escape_ascii())
    }

    fn words(&self) -> Vec<&[u8]> {
        let line = self.line.strip_suffix(b"\r\n").unwrap_or(&self.line);
        line.split(|&byte| byte == b' ').collect()
    }
}

/// The units of a stream of replies.
///
/// # Panics
/// If the replies are not well formed.
pub(super) fn units(replies: &[u8]) -> Vec<Unit> {
    let (mut units, mut at, mut parser) = (Vec::<Unit>::new(), 0, ReplyParser::new());
    let mut whole = true;
    while let Step::Part { consumed, part } = parser.next(&replies[at..]) {
        match part {
            Part::Data(piece) => {
                whole = piece.last;
                let data = units.last_mut().and_then(|unit| unit.data.as_mut());
                data.expect("a value has a line")
                    .extend_from_slice(piece.bytes);
            }
            _ => {
                let has_value = matches!(part, Part::MetaValue { .. });
                whole = !has_value;
                units.push(Unit {
                    line: replies[at..at + consumed].to_vec(),
                    data: has_value.then(Vec::new),
                });
            }
        }
        at += consumed;
    }
    let rest = &replies[at..];
    let shown = rest[..rest.len().min(300)].escape_ascii();
    assert!(rest.is_empty() && whole, "not a reply: {shown}");
    units
}

/// Whether both units are the same, but for what differs from run to run. Counts in `needed` what did.
pub(super) fn same(pairs: &mut CasPairs, needed: &mut Needed, theirs: &Unit, ours: &Unit) -> bool {
    let (old, new) = (theirs.words(), ours.words());
    if old.len() != new.len() {
        return false;
    }
    let debug = old[0] == b"ME";
    let key = old.iter().find_map(|word| word.strip_prefix(b"k"));
    let key = key.unwrap_or_default().to_vec();
    let padded = match (&theirs.data, &ours.data) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            if !pairs.differ_in_padding(theirs, ours) {
                return false;
            }
            *needed.entry("spaces behind a number").or_default() += 1;
            true
        }
        (theirs, ours) => {
            if theirs.is_some() != ours.is_some() {
                return false;
            }
            false
        }
    };
    old.iter().zip(&new).enumerate().all(|(at, (old, new))| {
        let length = padded && at == 1;
        let fact = if debug {
            debugged(old, new)
        } else {
            varying(old, new)
        };
        let agree = match fact {
            _ if length => true,
            Some(Fact::Cas(theirs, ours)) => pairs.agree(&key, theirs, ours),
            Some(Fact::Time) => true,
            None => false,
        };
        if *old != *new && agree && !length {
            let name = if debug {
                "me"
            } else if old[0] == b'c' {
                "cas unique"
            } else if old[0] == b'l' {
                "l"
            } else {
                "t"
            };
            *needed.entry(name).or_default() += 1;
        }
        old == new && !matches!(fact, Some(Fact::Cas(..))) || agree
    })
}

/// What two different words have in common.
enum Fact {
    Cas(u64, u64),
    /// A moment, or what else `me` shows of each server's own.
    Time,
}

/// The flags `c`, `t` and `l`.
fn varying(old: &[u8], new: &[u8]) -> Option<Fact> {
    let (old_number, new_number) = (number(old.get(1..)?)?, number(new.get(1..)?)?);
    match (old[0], new[0]) {
        (b'c', b'c') => Some(Fact::Cas(old_number, new_number)),
        (b't', b't') if old_number.abs_diff(new_number) <= LATER => Some(Fact::Time),
        // 1.6.18 does not see an access that comes soon after another one.
        (b'l', b'l') if old_number <= LATER && new_number <= LATER => Some(Fact::Time),
        _ => None,
    }
}

/// The words of `me`. 1.6.18 shows the time to live with the wrong sign.
fn debugged(old: &[u8], new: &[u8]) -> Option<Fact> {
    let of = |name: &[u8]| Some((old.strip_prefix(name)?, new.strip_prefix(name)?));
    if let Some((old, new)) = of(b"cas=") {
        return Some(Fact::Cas(number(old)?, number(new)?));
    }
    if let Some((old, new)) = of(b"exp=") {
        let old = number(old.strip_prefix(b"-")?)?;
        return (old.abs_diff(number(new)?) <= LATER).then_some(Fact::Time);
    }
    let own = [&b"la="[..], b"cls=", b"size="];
    own.iter()
        .any(|name| of(name).is_some())
        .then_some(Fact::Time)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

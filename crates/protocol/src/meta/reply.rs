//! Replies to meta commands.
//!
//! ```text
//!   status [size]   flags the command asked for, in its order   Z X W
//!   HD              t30 c7 kfoo Oabc                            W       \r\n
//! ```
//!
//! [`Line`] writes any reply piece by piece; the functions below it write the whole reply of each command from the
//! facts that the server has found, so that the order of flags is decided in one place.

use super::base64;
use super::flags::Flags;
use crate::item_fields::ItemFields;
use crate::reply::{CRLF, number};

/// A miss of `me`.
pub const EN: &[u8] = b"EN\r\n";
/// An item that too many replies refer to at once.
pub const REFERENCES: &[u8] = b"SERVER_ERROR refcount overflow during fetch\r\n";
/// `ma` with `N` had no memory for the new number.
pub const OUT_OF_MEMORY_CREATING: &[u8] = b"SERVER_ERROR Out of memory allocating new item\r\n";

/// First word of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Success, or a hit without its value.
    Hd,
    /// A miss of `mg` or `me`.
    En,
    /// Not stored.
    Ns,
    /// The cas unique differs.
    Ex,
    /// No such item.
    Nf,
}

impl Status {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static [u8; 2] {
        match self {
            Status::Hd => b"HD",
            Status::En => b"EN",
            Status::Ns => b"NS",
            Status::Ex => b"EX",
            Status::Nf => b"NF",
        }
    }

    /// The status with this word.
    #[inline]
    #[must_use]
    pub const fn from_word(word: &[u8; 2]) -> Option<Status> {
        Some(match word {
            b"HD" => Status::Hd,
            b"EN" => Status::En,
            b"NS" => Status::Ns,
            b"EX" => Status::Ex,
            b"NF" => Status::Nf,
            _ => return None,
        })
    }
}

/// A reply line that is being written.
#[derive(Debug)]
#[must_use = "a line needs its end"]
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Line<'o> {
    /// Begins a line with a status.
    #[inline]
    pub fn status(out: &'o mut Vec<u8>, status: Status) -> Self {
        out.extend_from_slice(status.word());
        Line { out }
    }

    /// Begins a line that a value of `value_bytes` follows.
    #[inline]
    pub fn value(out: &'o mut Vec<u8>, value_bytes: usize) -> Self {
        out.extend_from_slice(b"VA ");
        number(out, value_bytes);
        Line { out }
    }

    /// A flag with a number.
    #[inline]
    pub fn number(&mut self, letter: u8, value: impl itoa::Integer) {
        self.out.extend_from_slice(&[b' ', letter]);
        number(self.out, value);
    }

    /// A flag with bytes.
    #[inline]
    pub fn bytes(&mut self, letter: u8, argument: &[u8]) {
        self.out.extend_from_slice(&[b' ', letter]);
        self.out.extend_from_slice(argument);
    }

    /// `t`: seconds left to live, `-1` for an item that never expires.
    #[inline]
    pub fn ttl(&mut self, seconds: Option<u32>) {
        match seconds {
            Some(seconds) => self.number(b't', seconds),
            None => self.number(b't', -1),
        }
    }

    /// `k`: the key; in base64 followed by `b`.
    #[inline]
    pub fn key(&mut self, key: Key<'_>) {
        if key.base64 {
            self.out.extend_from_slice(b" k");
            base64::encode(self.out, key.bytes);
            self.out.extend_from_slice(b" b");
        } else {
            self.bytes(b'k', key.bytes);
        }
    }

    /// A flag without an argument.
    #[inline]
    pub fn letter(&mut self, letter: u8) {
        self.out.extend_from_slice(&[b' ', letter]);
    }

    /// `Z`, `X` and `W`, in this order.
    #[inline]
    fn marks(&mut self, marks: Marks) {
        for (set, letter) in [
            (marks.win_sent, b'Z'),
            (marks.stale, b'X'),
            (marks.won, b'W'),
        ] {
            if set {
                self.letter(letter);
            }
        }
    }

    /// Ends the line.
    #[inline]
    pub fn end(self) {
        self.out.extend_from_slice(CRLF);
    }
}

/// The key of an item, for replies that return the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The bytes of the key.
    pub bytes: &'a [u8],
    /// Whether the key is to be sent in base64.
    pub base64: bool,
}

/// The properties of a hit of `mg`, all as they were before this access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Length of the value.
    pub value_bytes: usize,
    /// Whether the value follows: `v` was asked for, and `C` did not say that the client has it already.
    pub with_value: bool,
    /// Client flags.
    pub client_flags: u32,
    /// Cas unique.
    pub cas: u64,
    /// Seconds left to live; `None` is for ever. An item that this command created has none yet.
    pub ttl: Option<u32>,
    /// Seconds left to live once `T` has acted.
    pub ttl_touched: Option<u32>,
    /// Seconds left to live once `N` has acted, if this command created the item.
    pub ttl_created: Option<Option<u32>>,
    /// Whether the item had been fetched before.
    pub fetched: bool,
    /// Seconds since the last access.
    pub idle_seconds: u32,
    /// The marks at the end of the line.
    pub marks: Marks,
}

/// The marks of a hit of `mg`, which are sent without being asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Whether a client is fetching the item anew already.
    pub win_sent: bool,
    /// Whether the item is stale.
    pub stale: bool,
    /// Whether this client is the one to fetch the item anew.
    pub won: bool,
}

/// Appends the line of a hit of `mg` that asked for no flag back; `value_bytes` if the value and `\r\n` follow.
#[inline]
pub fn bare_hit(out: &mut Vec<u8>, value_bytes: Option<usize>, marks: Marks) {
    let mut line = match value_bytes {
        Some(value_bytes) => Line::value(out, value_bytes),
        None => Line::status(out, Status::Hd),
    };
    line.marks(marks);
    line.end();
}

/// Appends the line of a hit of `mg`; with [`Hit::with_value`] the value and `\r\n` follow.
///
/// Flags act in the order they were sent: a `t` before `T` shows the old time to live, one behind it the new one.
pub fn get_hit(out: &mut Vec<u8>, flags: &Flags<'_>, hit: &Hit<'_>) {
    let mut line = if hit.with_value {
        Line::value(out, hit.value_bytes)
    } else {
        Line::status(out, Status::Hd)
    };
    if flags.wants_flags_back() {
        hit_flags(&mut line, flags, hit);
    }
    line.marks(hit.marks);
    line.end();
}

fn hit_flags(line: &mut Line<'_>, flags: &Flags<'_>, hit: &Hit<'_>) {
    let mut ttl = hit.ttl;
    for flag in flags.in_order() {
        match flag.letter {
            b'T' => ttl = hit.ttl_touched,
            b'N' => ttl = hit.ttl_created.unwrap_or(ttl),
            b't' => line.ttl(ttl),
            b's' => line.number(b's', hit.value_bytes),
            b'c' => line.number(b'c', hit.cas),
            b'f' => line.number(b'f', hit.client_flags),
            b'l' => line.number(b'l', hit.idle_seconds),
            b'h' => line.number(b'h', u8::from(hit.fetched)),
            b'O' => line.bytes(b'O', flag.argument),
            b'k' => line.key(hit.key),
            _ => {}
        }
    }
}

/// Appends a line that returns no more than key and opaque: a miss, and every answer of `md`.
pub fn plain(out: &mut Vec<u8>, status: Status, flags: &Flags<'_>, key: Key<'_>) {
    let mut line = Line::status(out, status);
    if flags.wants_flags_back() {
        for flag in flags.in_order() {
            match flag.letter {
                b'O' => line.bytes(b'O', flag.argument),
                b'k' => line.key(key),
                _ => {}
            }
        }
    }
    line.end();
}

/// Appends the answer to `ms`: `cas` is 0 unless the item was stored, `value_bytes` the length of the item's value now.
pub fn set(
    out: &mut Vec<u8>,
    status: Status,
    flags: &Flags<'_>,
    key: Key<'_>,
    cas: u64,
    value_bytes: usize,
) {
    let mut line = Line::status(out, status);
    if flags.wants_flags_back() {
        for flag in flags.in_order() {
            match flag.letter {
                b'O' => line.bytes(b'O', flag.argument),
                b'k' => line.key(key),
                b'c' => line.number(b'c', cas),
                b's' => line.number(b's', value_bytes),
                _ => {}
            }
        }
    }
    line.end();
}

/// The properties of the number that `ma` has changed or created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    /// The key.
    pub key: Key<'a>,
    /// The number now.
    pub value: u64,
    /// Cas unique now.
    pub cas: u64,
    /// Seconds left to live before the flags acted; `None` is for ever.
    pub ttl: Option<u32>,
    /// Seconds left to live once `T` has acted.
    pub ttl_touched: Option<u32>,
    /// Seconds left to live once `N` has acted, if this command created the item.
    pub ttl_created: Option<Option<u32>>,
}

/// Appends the answer to a successful `ma`, with `v` the value too. (A failure is a [`plain`] line.)
pub fn arith(out: &mut Vec<u8>, flags: &Flags<'_>, item: &Number<'_>) {
    let mut digits = itoa::Buffer::new();
    let value = flags
        .has(b'v')
        .then(|| digits.format(item.value).as_bytes());
    let mut line = match value {
        Some(value) => Line::value(out, value.len()),
        None => Line::status(out, Status::Hd),
    };
    let mut ttl = item.ttl;
    for flag in flags.in_order() {
        match flag.letter {
            b'T' => ttl = item.ttl_touched,
            b'N' => ttl = item.ttl_created.unwrap_or(ttl),
            b't' => line.ttl(ttl),
            b'c' => line.number(b'c', item.cas),
            b'O' => line.bytes(b'O', flag.argument),
            b'k' => line.key(item.key),
            _ => {}
        }
    }
    line.end();
    if let Some(value) = value {
        out.extend_from_slice(value);
        out.extend_from_slice(CRLF);
    }
}

/// The properties of an item that `me` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Innards<'a> {
    /// The key.
    pub key: Key<'a>,
    /// Seconds left to live; `None` is for ever.
    pub ttl: Option<u32>,
    /// Seconds since the last access.
    pub idle_seconds: u32,
    /// Cas unique.
    pub cas: u64,
    /// Whether the item has been fetched.
    pub fetched: bool,
    /// Slab class.
    pub class: u32,
    /// Bytes of the whole item.
    pub item_bytes: usize,
}

/// Appends the answer to a hit of `me`. (A miss is [`EN`].)
pub fn debug(out: &mut Vec<u8>, item: &Innards<'_>) {
    out.extend_from_slice(b"ME ");
    if item.key.base64 {
        base64::encode(out, item.key.bytes);
    } else {
        out.extend_from_slice(item.key.bytes);
    }
    out.extend_from_slice(b" exp=");
    match item.ttl {
        Some(seconds) => number(out, seconds),
        None => number(out, -1),
    }
    let fields = ItemFields {
        last_access: item.idle_seconds,
        cas: item.cas,
        fetched: item.fetched,
        class: item.class,
        item_bytes: item.item_bytes,
    };
    fields.append(out);
    out.extend_from_slice(CRLF);
}

//! A client with one connection: it sends pipelines and takes the replies apart.

use std::collections::VecDeque;

use corecached_simulate::Rng;

use crate::history::{Change, History};

/// Keys, few so that clients meet.
pub(crate) const KEYS: usize = 24;
/// Counters, beside the keys.
const COUNTERS: usize = 6;
/// Requests that wait for their replies.
const UNDER_WAY_MAX: usize = 40;
/// More bytes than this are sent in pieces.
const PIECE_BYTES: usize = 10_000;

/// A request that waits for its reply, by its number in the history.
#[derive(Clone, Debug)]
enum Request {
    Set(usize),
    /// A set without a reply, and `mn`, whose reply tells that the set has been run.
    SilentSet(usize),
    Add(usize),
    Touch,
    /// A change for each key.
    Flush(Vec<usize>),
    Cas(usize),
    Delete(usize),
    /// An increment of a counter, by its number among the increments.
    Count(usize),
    /// One request for some keys, each a read in the history.
    Get(Vec<(usize, usize)>, bool),
    Meta(usize, usize),
}

#[derive(Debug)]
pub(crate) struct Client {
    number: usize,
    under_way: VecDeque<Request>,
    received: Vec<u8>,
    /// Bytes of a request that were not sent with the others.
    held: Vec<u8>,
    known_cas: Option<(usize, u64)>,
    /// It sends nothing more while it waits for replies.
    waits: bool,
    values: Values,
    has_ended: bool,
    was_told: bool,
}

pub(crate) fn key_name(key: usize) -> String {
    format!("key-{key}")
}

fn counter_name(counter: usize) -> String {
    format!("counter-{counter}")
}

/// Whether some values of a world are so large that they are sent from slab memory, and of these some received into the
/// memory of their shard. They take many steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Small,
    SomeLarge,
}

/// The value of a write: its number, and bytes that follow from it.
fn value_of(write: usize, values: Values) -> String {
    let len = match write % 128 {
        40 | 80 if values == Values::SomeLarge => 20_000,
        120 if values == Values::SomeLarge => 150_000,
        _ => [5, 40, 300, 2000][write % 4] + write % 17,
    };
    let text = format!("{write}-");
    text.repeat(len / text.len() + 1)
}

fn write_of(value: &str, values: Values) -> usize {
    let number = value
        .split('-')
        .next()
        .and_then(|number| number.parse().ok());
    let write = number.unwrap_or_else(|| panic!("no value: {value:?}"));
    assert_eq!(value, value_of(write, values), "a value of two writes");
    write
}

/// Appends a set. One that `is_silent` has `noreply`, with a command behind it whose reply tells that it has been run.
fn set(name: &str, (write, value): (usize, &str), is_silent: bool, bytes: &mut Vec<u8>) -> Request {
    let noreply = if is_silent { " noreply" } else { "" };
    let line = format!("set {name} 0 0 {}{noreply}\r\n", value.len());
    bytes.extend(format!("{line}{value}\r\n").bytes());
    if is_silent {
        bytes.extend(b"mn\r\n");
        Request::SilentSet(write)
    } else {
        Request::Set(write)
    }
}

impl Client {
    pub(crate) fn new(number: usize, waits: bool, values: Values) -> Self {
        Self {
            number,
            under_way: VecDeque::new(),
            received: Vec::new(),
            held: Vec::new(),
            known_cas: None,
            waits,
            values,
            has_ended: false,
            was_told: false,
        }
    }

    /// True once, when it has all replies and sends no more.
    pub(crate) fn has_just_ended(&mut self) -> bool {
        self.has_ended && !std::mem::replace(&mut self.was_told, true)
    }

    /// The next bytes, perhaps none.
    pub(crate) fn send(&mut self, history: &mut History, rng: &mut Rng, is_over: bool) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        if is_over {
            self.has_ended = self.under_way.is_empty();
            return bytes;
        }
        if bytes.len() > PIECE_BYTES {
            self.held = bytes.split_off(1 + rng.below(bytes.len()));
            return bytes;
        }
        if rng.one_in(3) || self.waits && !self.under_way.is_empty() {
            return bytes;
        }
        for _ in 0..rng.below(10) {
            if self.under_way.len() < UNDER_WAY_MAX {
                self.ask(history, rng, &mut bytes);
            }
        }
        if rng.one_in(6) || bytes.len() > PIECE_BYTES {
            self.held = bytes.split_off(rng.below(bytes.len() + 1));
        }
        bytes
    }

    fn ask(&mut self, history: &mut History, rng: &mut Rng, bytes: &mut Vec<u8>) {
        let key = rng.below(KEYS);
        let name = key_name(key);
        let request = match rng.below(20) {
            0..5 => {
                let write = history.begin_change(self.number, key, Change::Set);
                let value = value_of(write, self.values);
                set(&name, (write, &value), rng.one_in(3), bytes)
            }
            5..7 => {
                let write = history.begin_change(self.number, key, Change::Delete);
                bytes.extend(format!("delete {name}\r\n").bytes());
                Request::Delete(write)
            }
            7 if self.known_cas.is_some() => {
                let (key, cas) = self.known_cas.expect("it is there");
                let write = history.begin_change(self.number, key, Change::Set);
                let value = value_of(write, self.values);
                let name = key_name(key);
                bytes
                    .extend(format!("cas {name} 0 0 {} {cas}\r\n{value}\r\n", value.len()).bytes());
                Request::Cas(write)
            }
            8 if rng.one_in(2) => {
                let counter = key % COUNTERS;
                bytes.extend(format!("ma {} N0 J1 v\r\n", counter_name(counter)).bytes());
                Request::Count(history.counts.begin(self.number, counter))
            }
            8 => {
                let write = history.begin_change(self.number, key, Change::Set);
                let value = value_of(write, self.values);
                bytes.extend(format!("add {name} 0 0 {}\r\n{value}\r\n", value.len()).bytes());
                Request::Add(write)
            }
            9 if rng.one_in(30) => {
                let change = |key| history.begin_change(self.number, key, Change::Delete);
                let changes = (0..KEYS).map(change).collect();
                history.counts.begin_flush(self.number);
                bytes.extend(b"flush_all\r\n");
                Request::Flush(changes)
            }
            9 => {
                bytes.extend(format!("touch {name} 0\r\n").bytes());
                Request::Touch
            }
            10 => {
                bytes.extend(format!("gat 0 {name}\r\n").bytes());
                let read = history.begin_read(self.number, key);
                Request::Get(vec![(key, read)], false)
            }
            11..14 => {
                bytes.extend(format!("mg {name} v\r\n").bytes());
                Request::Meta(key, history.begin_read(self.number, key))
            }
            kind => {
                let with_cas = kind % 2 == 0;
                let mut keys = vec![key];
                if rng.one_in(4) {
                    keys.extend((1..4).map(|more| (key + more * 5) % KEYS));
                }
                let names: Vec<_> = keys.iter().map(|&key| key_name(key)).collect();
                let verb = if with_cas { "gets" } else { "get" };
                bytes.extend(format!("{verb} {}\r\n", names.join(" ")).bytes());
                let reads = keys
                    .into_iter()
                    .map(|key| (key, history.begin_read(self.number, key)));
                Request::Get(reads.collect(), with_cas)
            }
        };
        self.under_way.push_back(request);
    }

    pub(crate) fn receive(&mut self, history: &mut History, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        while let Some(request) = self.under_way.front().cloned() {
            let text = String::from_utf8(self.received.clone()).expect("all is text");
            let Some(len) = self.take(history, &request, &text) else {
                return;
            };
            self.received.drain(..len);
            self.under_way.pop_front();
        }
        assert!(
            self.received.is_empty(),
            "{:?} was not asked for",
            self.received
        );
    }

    /// Takes the reply to a request; returns its length, or `None` if not all of it has come.
    fn take(&mut self, history: &mut History, request: &Request, text: &str) -> Option<usize> {
        let end = text.find("\r\n")? + 2;
        let line = &text[..end - 2];
        match request {
            Request::Set(write) => {
                assert_eq!(line, "STORED");
                history.end_change(*write, true);
            }
            Request::SilentSet(write) => {
                assert_eq!(line, "MN");
                history.end_change(*write, true);
            }
            Request::Add(write) => {
                assert!(["STORED", "NOT_STORED"].contains(&line), "{line:?}");
                history.end_change(*write, line == "STORED");
            }
            Request::Touch => assert!(["TOUCHED", "NOT_FOUND"].contains(&line), "{line:?}"),
            Request::Flush(changes) => {
                assert_eq!(line, "OK");
                history.counts.end_flush(self.number);
                changes
                    .iter()
                    .for_each(|&change| history.end_change(change, true));
            }
            Request::Cas(write) => {
                assert!(
                    ["STORED", "EXISTS", "NOT_FOUND"].contains(&line),
                    "{line:?}"
                );
                history.end_change(*write, line == "STORED");
            }
            Request::Delete(write) => {
                assert!(["DELETED", "NOT_FOUND"].contains(&line), "{line:?}");
                history.end_change(*write, line == "DELETED");
            }
            Request::Count(number) => {
                let digits = line.strip_prefix("VA ").expect("it is a counter");
                let digits: usize = digits.parse().expect("a length");
                let value = text.get(end..end + digits + 2)?;
                let value = value[..digits].parse().expect("a number");
                history.counts.end(*number, value);
                return Some(end + digits + 2);
            }
            Request::Meta(key, read) => {
                let Some(len) = line.strip_prefix("VA ") else {
                    assert_eq!(line, "EN", "{key}");
                    history.end_read(*read, None);
                    return Some(end);
                };
                let len: usize = len.parse().expect("a length");
                let value = text.get(end..end + len + 2)?;
                history.end_read(*read, Some(write_of(&value[..len], self.values)));
                return Some(end + len + 2);
            }
            Request::Get(reads, with_cas) => {
                return self.take_values(history, reads, *with_cas, text);
            }
        }
        Some(end)
    }

    fn take_values(
        &mut self,
        history: &mut History,
        reads: &[(usize, usize)],
        with_cas: bool,
        text: &str,
    ) -> Option<usize> {
        let mut found = Vec::new();
        let mut at = 0;
        loop {
            let end = at + text[at..].find("\r\n")?;
            let line = &text[at..end];
            if line == "END" {
                at = end + 2;
                break;
            }
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(
                (words[0], words.len()),
                ("VALUE", if with_cas { 5 } else { 4 }),
                "{line:?}"
            );
            let len: usize = words[3].parse().expect("a length");
            let value = text.get(end + 2..end + 2 + len + 2)?;
            let cas = words
                .get(4)
                .map(|cas| cas.parse::<u64>().expect("a cas unique"));
            found.push((
                words[1].to_owned(),
                write_of(&value[..len], self.values),
                cas,
            ));
            at = end + 2 + len + 2;
        }
        let mut found = found.into_iter().peekable();
        for &(key, read) in reads {
            let hit = found.next_if(|(name, ..)| *name == key_name(key));
            history.end_read(read, hit.as_ref().map(|&(_, write, _)| write));
            if let Some((_, _, Some(cas))) = hit {
                self.known_cas = Some((key, cas));
            }
        }
        assert!(found.next().is_none(), "a value that was not asked for");
        Some(at)
    }
}

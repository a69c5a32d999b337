//! A client with one connection: it sends pipelines and takes the replies apart.

use std::collections::{HashMap, VecDeque};

use corecached_simulate::Rng;

use crate::choose::{Choices, Mix, Style};
use crate::history::History;
use crate::memory::Memory;
use crate::op::{Answer, Verb};
use crate::request::{Form, Quiet, Request};
use crate::wire::Wire;
use crate::{binary, meta, operator, text};

/// Requests that wait for their replies.
const UNDER_WAY_MAX: usize = 40;
/// More bytes than this are sent in pieces.
const PIECE_BYTES: usize = 10_000;
/// Keys for numbers.
pub(crate) const COUNTERS: usize = 6;

/// What all clients of a world have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) wire: Wire,
    pub(crate) mix: Mix,
    pub(crate) memory: Memory,
    pub(crate) is_timed: bool,
    /// It sends nothing more while it waits for replies.
    pub(crate) waits: bool,
    pub(crate) has_operators: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    number: usize,
    manner: Manner,
    is_binary: bool,
    under_way: VecDeque<Request>,
    received: Vec<u8>,
    /// Bytes of a request that were not sent with the others.
    held: Vec<u8>,
    known_cas: HashMap<usize, u64>,
    has_ended: bool,
    was_told: bool,
}

impl Client {
    pub(crate) fn new(number: usize, manner: Manner, rng: &mut Rng) -> Self {
        Self {
            number,
            manner,
            is_binary: manner.mix == Mix::Wide && rng.one_in(3),
            under_way: VecDeque::new(),
            received: Vec::new(),
            held: Vec::new(),
            known_cas: HashMap::new(),
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
        if rng.one_in(3) || self.manner.waits && !self.under_way.is_empty() {
            return bytes;
        }
        for _ in 0..rng.below(10) {
            if self.under_way.len() < UNDER_WAY_MAX {
                let request = self.ask(history, rng, &mut bytes);
                self.under_way.push_back(request);
            }
        }
        if rng.one_in(6) || bytes.len() > PIECE_BYTES {
            self.held = bytes.split_off(rng.below(bytes.len() + 1));
        }
        bytes
    }

    fn ask(&mut self, history: &mut History, rng: &mut Rng, bytes: &mut Vec<u8>) -> Request {
        let Manner {
            wire, memory, mix, ..
        } = self.manner;
        if self.manner.has_operators && !self.is_binary && rng.one_in(25) {
            return operate(memory, rng, bytes);
        }
        let key = match rng.one_in(if mix == Mix::Plain { 30 } else { 6 }) {
            true => wire.texts + rng.below(COUNTERS),
            false => rng.below(wire.texts),
        };
        let style = match self.is_binary {
            true => Style::Binary,
            false => rng.one_of(&[Style::Classic, Style::Classic, Style::Meta]),
        };
        let number = history.next();
        let mut choices = Choices {
            mix,
            wire,
            is_timed: self.manner.is_timed,
            now: history.now,
            number,
            known_cas: &self.known_cas,
            rng,
        };
        if style == Style::Classic && choices.rng.one_in(2) {
            return self.look_up(key, history, rng, bytes);
        }
        let verb = choices.verb(key, style);
        let ops = self.begin(key, verb, history);
        let named = (number, key);
        let is_quiet = rng.one_in(4);
        let (form, quiet) = match style {
            Style::Classic => {
                text::ask(verb, named, is_quiet, &wire, bytes);
                (Form::Line, Quiet::Always)
            }
            Style::Meta => {
                let wishes = wishes(verb, rng);
                let opaque = rng.one_in(4).then(|| number.to_string());
                let quiet = if is_quiet { " q" } else { "" };
                let opaque_flag = opaque.iter().map(|opaque| format!(" O{opaque}"));
                let more = format!("{wishes}{quiet}{}", opaque_flag.collect::<String>());
                meta::ask(verb, named, &more, &wire, bytes);
                (Form::Meta(key, opaque), Quiet::IfDone)
            }
            Style::Binary => {
                // There is no quiet touch.
                let is_quiet = is_quiet && !matches!(verb, Verb::Touch(_));
                binary::ask(verb, named, is_quiet, &wire, bytes);
                (Form::Packet(key), Quiet::IfDone)
            }
        };
        let is_quiet = is_quiet && !(self.is_binary && matches!(verb, Verb::Touch(_)));
        if is_quiet {
            match self.is_binary {
                true => binary::noop(bytes),
                false => bytes.extend_from_slice(b"mn\r\n"),
            }
        }
        Request {
            form,
            ops,
            quiet: is_quiet.then_some(quiet),
        }
    }

    /// Notes the operations of a request: a flush is one on every key.
    fn begin(&self, key: usize, verb: Verb, history: &mut History) -> Vec<usize> {
        let keys = match verb {
            Verb::Flush(_) => 0..self.manner.wire.texts + COUNTERS,
            _ => key..key + 1,
        };
        keys.map(|key| history.begin(self.number, key, verb))
            .collect()
    }

    fn look_up(
        &mut self,
        key: usize,
        history: &mut History,
        rng: &mut Rng,
        bytes: &mut Vec<u8>,
    ) -> Request {
        let Manner {
            wire,
            mix,
            is_timed,
            ..
        } = self.manner;
        let mut choices = Choices {
            mix,
            wire,
            is_timed,
            now: history.now,
            number: history.next(),
            known_cas: &self.known_cas,
            rng,
        };
        let get = choices.lookup();
        let with_cas = rng.one_in(2);
        let mut keys = vec![key];
        if rng.one_in(4) {
            keys.extend((1..4).map(|more| (key + more * 5) % (wire.texts + COUNTERS)));
        }
        text::ask_for(get, &keys, with_cas, &wire, bytes);
        let ops = keys.iter();
        let ops = ops.map(|&key| history.begin(self.number, key, Verb::Get(get)));
        Request {
            ops: ops.collect(),
            form: Form::Values(keys, with_cas),
            quiet: None,
        }
    }

    pub(crate) fn receive(&mut self, history: &mut History, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        while let Some(request) = self.under_way.front() {
            let taken = request.take(&self.received, history, &self.manner.wire);
            let Some((len, answers)) = taken else {
                return;
            };
            let request = self.under_way.pop_front().expect("it is the first");
            self.received.drain(..len);
            for (op, answer) in request.ops.into_iter().zip(answers) {
                self.learn(history.key(op), &answer);
                history.end(op, answer);
            }
        }
        assert!(
            self.received.is_empty(),
            "{:?} was not asked for",
            self.received
        );
    }

    /// Keeps the cas unique of an answer.
    fn learn(&mut self, key: usize, answer: &Answer) {
        let cas = match answer {
            Answer::Hit(seen) => seen.cas,
            Answer::Stored { cas, .. } | Answer::Number { cas, .. } => *cas,
            _ => None,
        };
        if let Some(cas) = cas {
            self.known_cas.insert(key, cas);
        }
    }
}

/// Asks for something as an operator.
fn operate(memory: Memory, rng: &mut Rng, bytes: &mut Vec<u8>) -> Request {
    let (command, beginnings) = operator::choose(memory, rng);
    bytes.extend_from_slice(format!("{command}\r\n").as_bytes());
    Request {
        form: Form::Told(beginnings),
        ops: Vec::new(),
        quiet: None,
    }
}

/// The flags of a meta command that ask for something in its reply.
fn wishes(verb: Verb, rng: &mut Rng) -> &'static str {
    match verb {
        Verb::Get(_) => rng.one_of(&meta::WISHES),
        Verb::Store(_) => rng.one_of(&["", "c", "s c"]),
        Verb::Count(_) => rng.one_of(&["", "v", "v c t"]),
        _ => "",
    }
}

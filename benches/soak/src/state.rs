//! What a key may hold: all states that fit the answers so far.
//!
//! Only its owner changes a key, so there is one state, but for three things: a request without an answer may have been
//! refused, an item may be evicted or flushed at any time, and nobody but the server knows when exactly its time is up.

use std::time::{Duration, Instant};

use crate::answer::{Answer, Hit};
use crate::tally::Flushes;
use crate::verb::{Verb, same};

/// An item's clock ticks once a second, and the machine may be late.
const TTL_SLACK: Duration = Duration::from_millis(2500);

/// An item.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) client_flags: u32,
    pub(crate) cas: Option<u64>,
    is_number: bool,
    ttl: Option<Ttl>,
    /// Flushes that were through when it was last known to be there.
    flushes_before: u64,
    /// Flushes that had begun by then.
    flushes_begun: u64,
}

/// When its time is up.
#[derive(Clone, Copy, Debug)]
struct Ttl {
    seconds: i32,
    /// Not before that. `None` until the request has been answered.
    since: Option<(Instant, Instant)>,
}

impl Entry {
    pub(crate) fn new(value: Vec<u8>, client_flags: u32, exptime: i32) -> Entry {
        let entry = Entry {
            value,
            client_flags,
            cas: None,
            is_number: false,
            ttl: None,
            flushes_before: 0,
            flushes_begun: 0,
        };
        entry.living(exptime)
    }

    pub(crate) fn hit(&self) -> Hit {
        Hit {
            client_flags: self.client_flags,
            value: self.value.clone(),
            cas: self.cas,
        }
    }

    /// The same with another time to live.
    pub(crate) fn living(&self, exptime: i32) -> Entry {
        let ttl = (exptime != 0).then_some(Ttl {
            seconds: exptime,
            since: None,
        });
        Entry {
            ttl,
            ..self.clone()
        }
    }

    /// With `more` before or behind.
    pub(crate) fn joined(&self, before: bool, more: &[u8]) -> Entry {
        let parts = match before {
            true => [more, &self.value[..]],
            false => [&self.value[..], more],
        };
        Entry {
            value: parts.concat(),
            cas: None,
            ..self.clone()
        }
    }

    /// With a number for its value.
    pub(crate) fn counted(&self, number: u64) -> Entry {
        Entry {
            value: number.to_string().into_bytes(),
            cas: None,
            is_number: true,
            ..self.clone()
        }
    }

    /// It was there between two moments.
    fn seen(&mut self, at: &Moment, cas: Option<u64>) {
        self.flushes_before = at.flushes_before;
        self.flushes_begun = at.flushes_begun;
        self.cas = cas.or(self.cas);
        if let Some(ttl) = &mut self.ttl {
            ttl.since.get_or_insert((at.asked, at.answered));
        }
    }

    /// Whether its time or a flush may have come by then.
    fn may_be_dead(&self, at: &Moment) -> bool {
        let expired = self.ttl.is_some_and(|ttl| match ttl.since {
            None => true,
            Some((asked, _)) => {
                ttl.seconds < 0
                    || at.answered + TTL_SLACK > asked + Duration::from_secs(ttl.seconds as u64)
            }
        });
        expired || at.flushes_begun > self.flushes_before
    }

    /// Whether its time or a flush must have come by then.
    fn must_be_dead(&self, at: &Moment) -> bool {
        let expired = self.ttl.is_some_and(|ttl| match ttl.since {
            None => ttl.seconds < 0,
            Some((_, answered)) => {
                ttl.seconds < 0
                    || at.asked > answered + Duration::from_secs(ttl.seconds as u64) + TTL_SLACK
            }
        });
        expired || at.flushes_before > self.flushes_begun
    }
}

/// When a request was sent and answered, in time and in flushes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    /// Flushes that were through when it was sent.
    pub(crate) flushes_before: u64,
    /// Flushes that had begun when it was answered.
    pub(crate) flushes_begun: u64,
}

impl Moment {
    /// A request is sent now.
    pub(crate) fn begin(flushes: &Flushes) -> Moment {
        let now = Instant::now();
        Moment {
            asked: now,
            answered: now,
            flushes_before: flushes.through(),
            flushes_begun: 0,
        }
    }

    /// It is answered now.
    pub(crate) fn end(mut self, flushes: &Flushes) -> Moment {
        self.answered = Instant::now();
        self.flushes_begun = flushes.begun();
        self
    }
}

/// What an answer is judged by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suppose {
    /// Items that are alive are there.
    Kept,
    /// Any item may have been evicted.
    Evicted,
}

/// Whether an answer fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Right if the item was evicted.
    Vanished,
    Wrong,
}

/// All states that a key may be in.
#[derive(Debug)]
pub(crate) struct Key {
    states: Vec<Option<Entry>>,
}

impl Key {
    pub(crate) fn absent() -> Key {
        Key { states: vec![None] }
    }

    /// Takes note of an answer.
    pub(crate) fn judge(&mut self, verb: &Verb, seen: &Answer, at: &Moment) -> Verdict {
        let mut verdict = Verdict::Right;
        let mut after = self.after(verb, seen, at, Suppose::Kept);
        if after.is_empty() {
            verdict = Verdict::Vanished;
            after = self.after(verb, seen, at, Suppose::Evicted);
        }
        if after.is_empty() {
            return Verdict::Wrong;
        }
        self.states = after;
        verdict
    }

    /// The states after `seen`.
    fn after(
        &self,
        verb: &Verb,
        seen: &Answer,
        at: &Moment,
        suppose: Suppose,
    ) -> Vec<Option<Entry>> {
        let mut after: Vec<Option<Entry>> = Vec::new();
        let mut absent = false;
        for state in self.before(at, suppose) {
            let is_number = state.is_some_and(|entry| entry.is_number);
            for outcome in verb.outcomes(state) {
                if !same(&outcome.answer, seen, is_number) {
                    continue;
                }
                match outcome.after {
                    None => absent = true,
                    Some(mut entry) => {
                        let cas = match seen {
                            Answer::Hit(hit) => hit.cas,
                            _ => None,
                        };
                        if !outcome.answer.is_refusal() {
                            entry.seen(at, cas);
                        }
                        after.push(Some(entry));
                    }
                }
            }
        }
        if absent {
            after.push(None);
        }
        after
    }

    fn before(&self, at: &Moment, suppose: Suppose) -> Vec<Option<&Entry>> {
        let mut before = Vec::new();
        for state in &self.states {
            match state {
                None => before.push(None),
                Some(entry) => {
                    if !entry.must_be_dead(at) {
                        before.push(Some(entry));
                    }
                    if suppose == Suppose::Evicted || entry.may_be_dead(at) {
                        before.push(None);
                    }
                }
            }
        }
        before
    }

    /// The cas unique, if it is known.
    pub(crate) fn cas(&self) -> Option<u64> {
        match &self.states[..] {
            [Some(entry)] => entry.cas,
            _ => None,
        }
    }

    /// For the message about a wrong answer.
    pub(crate) fn describe(&self) -> String {
        let states: Vec<String> = self.states.iter().map(describe).collect();
        states.join(" or ")
    }
}

fn describe(state: &Option<Entry>) -> String {
    match state {
        None => "nothing".to_owned(),
        Some(entry) => format!(
            "{:?}, cas {:?}, ttl {:?}, flushes {}..{}",
            entry.hit(),
            entry.cas,
            entry.ttl.map(|ttl| ttl.seconds),
            entry.flushes_before,
            entry.flushes_begun
        ),
    }
}

//! Which operation a client asks for next.

use std::collections::HashMap;

use corecached_simulate::Rng;

use crate::item::CHOSEN_CAS;
use crate::op::{Count, Delete, Exptime, Get, Mode, Store, Verb};
use crate::wire::Wire;

/// What clients of a world ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Mostly get, set and delete, so that many requests meet.
    Plain,
    /// Everything.
    Wide,
}

/// The protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Classic,
    Meta,
    Binary,
}

/// The choices of a client.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) wire: Wire,
    pub(crate) mix: Mix,
    /// Whether items die.
    pub(crate) is_timed: bool,
    /// The server's clock.
    pub(crate) now: u32,
    /// The number of the operation.
    pub(crate) number: usize,
    /// Cas uniques that the client has seen, by key.
    pub(crate) known_cas: &'a HashMap<usize, u64>,
}

impl Choices<'_> {
    fn exptime(&mut self) -> Exptime {
        if !self.is_timed {
            return Exptime::Never;
        }
        let seconds = self.rng.below(6) as u32;
        match self.rng.below(12) {
            0..4 => Exptime::Never,
            4 => Exptime::Over,
            5..8 => Exptime::At(self.now + seconds),
            _ => Exptime::In(1 + seconds),
        }
    }

    fn maybe<T>(&mut self, one_in: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.rng.one_in(one_in).then(|| make(self))
    }

    fn known_cas(&mut self, key: usize, one_in: usize) -> Option<u64> {
        let known = self.known_cas.get(&key).copied();
        known.filter(|_| self.rng.one_in(one_in))
    }

    fn new_cas(&mut self) -> Option<u64> {
        let chosen = CHOSEN_CAS + self.number as u64;
        self.rng.one_in(6).then_some(chosen)
    }

    fn flags(&mut self) -> u32 {
        match self.rng.one_in(2) {
            true => 0,
            false => self.number as u32,
        }
    }

    pub(crate) fn store(&mut self, mode: Mode, key: usize, style: Style) -> Store {
        let is_meta = style == Style::Meta;
        let compares = match style {
            Style::Classic => mode == Mode::Set,
            // Binary add and replace compare as set does.
            Style::Binary => mode != Mode::Add,
            Style::Meta => true,
        };
        let compare = match compares {
            true => self.known_cas(key, 3),
            false => None,
        };
        let is_number = self.wire.is_number(key);
        Store {
            mode,
            number: is_number.then(|| self.rng.one_of(&[0, 9, 99, 12_345, u64::MAX - 1])),
            flags: self.flags(),
            exptime: self.exptime(),
            compare,
            new_cas: if is_meta { self.new_cas() } else { None },
            invalidates: is_meta && compare.is_some() && self.rng.one_in(2),
            creates: match is_meta && mode.joins() {
                true => self.maybe(2, Self::exptime),
                false => None,
            },
            drops_old: is_meta || style == Style::Binary && mode == Mode::Set,
        }
    }

    fn get(&mut self, style: Style) -> Get {
        let mut get = Get::default();
        if self.mix == Mix::Wide && self.rng.one_in(6) {
            get.touch = Some(self.exptime());
        }
        if style != Style::Meta {
            return get;
        }
        get.is_meta = true;
        if self.mix == Mix::Plain {
            return get;
        }
        get.is_silent = self.rng.one_in(6);
        if get.touch.is_some() {
            return get;
        }
        get.recache = self.maybe(4, |choices| 1 + choices.rng.below(5) as u32);
        get.vivify = self.maybe(5, Self::exptime);
        if get.vivify.is_some() {
            get.new_cas = self.new_cas();
        }
        get
    }

    fn delete(&mut self, key: usize, style: Style) -> Delete {
        if style == Style::Classic {
            return Delete::default();
        }
        let compare = self.known_cas(key, 2);
        if style == Style::Binary {
            return Delete {
                compare,
                ..Delete::default()
            };
        }
        let stales = self.rng.one_in(2);
        let empties = self.maybe(4, Self::flags);
        let keeps = stales || empties.is_some();
        Delete {
            compare,
            stales,
            empties,
            exptime: self.maybe(3, Self::exptime).filter(|_| keeps),
            new_cas: self.new_cas().filter(|_| keeps),
        }
    }

    fn count(&mut self, key: usize, style: Style) -> Count {
        let count = Count {
            is_up: self.rng.one_in(2),
            delta: self.rng.one_of(&[1, 1, 2, 100]),
            compare: None,
            new_cas: None,
            exptime: None,
            creates: None,
        };
        let first = self.rng.one_of(&[0, 1, 10]);
        match style {
            Style::Classic => count,
            Style::Binary => Count {
                compare: self.known_cas(key, 4),
                creates: self.maybe(2, |choices| (first, choices.exptime())),
                ..count
            },
            Style::Meta => {
                let creates = self.maybe(2, |choices| (first, choices.exptime()));
                Count {
                    compare: self.known_cas(key, 4),
                    new_cas: self.new_cas(),
                    exptime: self.maybe(4, Self::exptime).filter(|_| creates.is_none()),
                    creates,
                    ..count
                }
            }
        }
    }

    /// An operation on this key, other than a classic lookup.
    pub(crate) fn verb(&mut self, key: usize, style: Style) -> Verb {
        let is_number = self.wire.is_number(key);
        let is_plain = self.mix == Mix::Plain;
        if is_plain && style == Style::Meta {
            return match is_number {
                true => Verb::Count(self.count(key, style)),
                false => Verb::Get(self.get(style)),
            };
        }
        match self.rng.below(40) {
            0..10 if is_number => Verb::Count(self.count(key, style)),
            // There it is refused.
            0 if !is_plain => Verb::Count(Count {
                creates: None,
                ..self.count(key, style)
            }),
            1..4 if !is_number && !is_plain => {
                let mode = self.rng.one_of(&[Mode::Append, Mode::Prepend]);
                Verb::Store(self.store(mode, key, style))
            }
            10 | 11 => {
                let mode = match is_plain {
                    true => Mode::Add,
                    false => self.rng.one_of(&[Mode::Add, Mode::Replace]),
                };
                Verb::Store(self.store(mode, key, style))
            }
            12..17 => Verb::Delete(self.delete(key, style)),
            17..19 if style != Style::Meta => Verb::Touch(self.exptime()),
            19 if self.rng.one_in(15) && style != Style::Meta => {
                let is_late = self.is_timed && self.rng.one_in(2);
                let seconds = 1 + self.rng.below(3) as u32;
                Verb::Flush(is_late.then_some(Exptime::In(seconds)))
            }
            19..40 if style != Style::Classic => Verb::Get(self.get(style)),
            _ => Verb::Store(self.store(Mode::Set, key, style)),
        }
    }

    /// A classic lookup.
    pub(crate) fn lookup(&mut self) -> Get {
        self.get(Style::Classic)
    }
}

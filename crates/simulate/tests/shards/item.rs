//! An item as the model knows it, and what clients may see of it.

use crate::op::{Exptime, Get, Mode, Op, Seen};
use crate::value::{Value, Values};

/// What holds in a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) values: Values,
    /// Items may be evicted.
    pub(crate) evicts: bool,
    /// There may be no memory for an item.
    pub(crate) refuses: bool,
}

/// Cas uniques from here on are those that clients have chosen.
pub(crate) const CHOSEN_CAS: u64 = 1 << 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cas {
    Known(u64),
    /// Not seen yet: larger than any other of this key that was seen.
    New,
}

/// Seconds between which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct When {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) value: Value,
    pub(crate) flags: u32,
    pub(crate) cas: Cas,
    /// `None`: never.
    pub(crate) dies: Option<When>,
    pub(crate) is_stale: bool,
    pub(crate) is_won: bool,
    /// `None`: it may have been fetched, or not.
    pub(crate) is_fetched: Option<bool>,
}

impl When {
    /// It has not happened at `now`; false if it must have.
    pub(crate) fn is_after(&mut self, now: u32) -> bool {
        self.from = self.from.max(now + 1);
        self.from <= self.to
    }
}

/// When an item dies that a request with this exptime has made.
pub(crate) fn deadline(op: &Op, exptime: Exptime) -> Option<When> {
    let (from, to) = match exptime {
        Exptime::Never => return None,
        Exptime::Over => (1, 1),
        Exptime::In(seconds) => (op.from + seconds, op.to + seconds),
        Exptime::At(second) => (second, second),
    };
    Some(When { from, to })
}

impl Item {
    /// Whether a client may have seen this of the item. It is known better then.
    pub(crate) fn is(&mut self, seen: &Seen, last_cas: &mut u64, rules: Rules) -> bool {
        if let Some(cas) = seen.cas {
            match self.cas {
                Cas::Known(known) if known != cas => return false,
                Cas::Known(_) => {}
                Cas::New if cas <= *last_cas || cas >= CHOSEN_CAS => return false,
                Cas::New => (self.cas, *last_cas) = (Cas::Known(cas), cas),
            }
        }
        if let (Some(was_fetched), Some(is_fetched)) = (seen.was_fetched, self.is_fetched)
            && was_fetched != is_fetched
        {
            return false;
        }
        let value = seen.value.as_ref();
        value.is_none_or(|value| *value == self.value)
            && (seen.len.zip(self.value.len(rules.values))).is_none_or(|(seen, len)| seen == len)
            && seen.flags.is_none_or(|flags| flags == self.flags)
            && seen
                .is_stale
                .is_none_or(|is_stale| is_stale == self.is_stale)
            && seen.was_won.is_none_or(|was_won| was_won == self.is_won)
    }

    /// Whether the item may have had so many seconds left.
    pub(crate) fn has_left(&mut self, op: &Op, ttl: Option<Option<u32>>) -> bool {
        match (ttl, &mut self.dies) {
            (None, _) | (Some(None), None) => true,
            (Some(Some(ttl)), Some(dies)) => {
                dies.from = dies.from.max(op.from + ttl);
                dies.to = dies.to.min(op.to + ttl);
                dies.from <= dies.to
            }
            _ => false,
        }
    }

    /// Whether a lookup wins the item as it says.
    pub(crate) fn wins(&mut self, op: &Op, get: Get, wins: bool) -> bool {
        if self.is_won || self.is_stale {
            return wins != self.is_won;
        }
        let (Some(seconds), Some(dies)) = (get.recache, &mut self.dies) else {
            return !wins;
        };
        match wins {
            true => dies.to = dies.to.min(op.to + seconds - 1),
            false => dies.from = dies.from.max(op.from + seconds),
        }
        dies.from <= dies.to
    }

    pub(crate) fn is_newer_than(&self, cas: Option<u64>) -> bool {
        match (self.cas, cas) {
            (Cas::Known(own), Some(cas)) => cas < own,
            (Cas::New, Some(cas)) => cas < CHOSEN_CAS,
            (_, None) => false,
        }
    }

    /// This item, stored with a cas unique that is older than that of the present one.
    pub(crate) fn stale_instead_of(self, old: &Item) -> Item {
        Item {
            dies: old.dies,
            is_stale: true,
            is_won: old.is_won,
            ..self
        }
    }

    /// The present item with the value of this one before or behind its own.
    pub(crate) fn joined(self, old: &Item, mode: Mode) -> Item {
        let value = match (&old.value, &self.value) {
            (Value::Text(old), Value::Text(new)) if mode == Mode::Append => {
                [&old[..], new].concat()
            }
            (Value::Text(old), Value::Text(new)) => [new, &old[..]].concat(),
            _ => panic!("nothing is appended to numbers"),
        };
        Item {
            value: Value::Text(value.into()),
            flags: old.flags,
            dies: old.dies,
            ..self
        }
    }
}

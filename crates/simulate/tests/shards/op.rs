//! Operations on a key, whatever the protocol, and what a client learns of their outcome.

use crate::value::Value;

/// When an item dies, as a client says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exptime {
    Never,
    /// It is dead at once.
    Over,
    /// Seconds from now.
    In(u32),
    /// A second of the server's clock.
    At(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
}

impl Mode {
    pub(crate) fn joins(self) -> bool {
        matches!(self, Mode::Append | Mode::Prepend)
    }
}

/// A lookup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Get {
    pub(crate) touch: Option<Exptime>,
    /// It leaves no trace.
    pub(crate) is_silent: bool,
    /// It may win the item: `mg`.
    pub(crate) is_meta: bool,
    /// An item that lives no longer than so many seconds is won.
    pub(crate) recache: Option<u32>,
    /// A miss creates an item that lives so long.
    pub(crate) vivify: Option<Exptime>,
    pub(crate) new_cas: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Store {
    pub(crate) mode: Mode,
    /// The number of a key for numbers; another key gets the bytes of the write.
    pub(crate) number: Option<u64>,
    pub(crate) flags: u32,
    pub(crate) exptime: Exptime,
    /// Only if the item has this cas unique.
    pub(crate) compare: Option<u64>,
    pub(crate) new_cas: Option<u64>,
    /// An older cas unique stores a stale item.
    pub(crate) invalidates: bool,
    /// append and prepend create the item.
    pub(crate) creates: Option<Exptime>,
    /// Whether the old value goes if there is no memory for the new one.
    pub(crate) drops_old: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delete {
    pub(crate) compare: Option<u64>,
    /// The item stays as a stale one.
    pub(crate) stales: bool,
    /// The item stays without its value, with these flags.
    pub(crate) empties: Option<u32>,
    pub(crate) exptime: Option<Exptime>,
    pub(crate) new_cas: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) is_up: bool,
    pub(crate) delta: u64,
    pub(crate) compare: Option<u64>,
    pub(crate) new_cas: Option<u64>,
    pub(crate) exptime: Option<Exptime>,
    /// A miss creates this number.
    pub(crate) creates: Option<(u64, Exptime)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Get(Get),
    Store(Store),
    Delete(Delete),
    Count(Count),
    Touch(Exptime),
    /// `flush_all`, perhaps later.
    Flush(Option<Exptime>),
}

/// What a client sees of an item. `None`: it has not asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) value: Option<Value>,
    pub(crate) len: Option<usize>,
    pub(crate) flags: Option<u32>,
    pub(crate) cas: Option<u64>,
    /// Seconds that it has left, if it ever dies.
    pub(crate) ttl: Option<Option<u32>>,
    pub(crate) was_fetched: Option<bool>,
    pub(crate) is_stale: Option<bool>,
    pub(crate) was_won: Option<bool>,
    pub(crate) wins: bool,
}

/// What a client learns of an operation.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Nothing, but that it has been run.
    Unknown,
    Absent,
    Hit(Seen),
    Stored {
        cas: Option<u64>,
        len: Option<usize>,
    },
    NotStored,
    Exists,
    Deleted,
    Number {
        value: Option<u64>,
        cas: Option<u64>,
        ttl: Option<Option<u32>>,
    },
    NonNumeric,
    Touched,
    /// There was no memory.
    Refused,
    Flushed,
}

/// An operation: when it was sent and answered, in steps and in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) number: usize,
    pub(crate) client: usize,
    pub(crate) key: usize,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// The earliest time by which a shard may have run it, and the latest.
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) verb: Verb,
    /// `None`: not yet answered.
    pub(crate) answer: Option<Answer>,
}

impl Op {
    /// Whether it changes nothing wherever it may stand in an order of operations, except for what it tells. If a text
    /// was seen, this is so as long as this text is there: then the item was fetched before, or not by this lookup.
    pub(crate) fn only_looks(&self) -> bool {
        match (&self.answer, self.verb) {
            (Some(Answer::Absent), Verb::Get(get)) => get.vivify.is_none(),
            (Some(Answer::Hit(seen)), Verb::Get(get)) => {
                let is_text =
                    matches!(&seen.value, Some(Value::Text(writes)) if !writes.is_empty());
                is_text && get.touch.is_none() && !seen.wins
            }
            (Some(Answer::Absent | Answer::NotStored | Answer::Exists | Answer::NonNumeric), _) => {
                true
            }
            _ => false,
        }
    }

    /// The value that the client has seen, if it has seen one.
    pub(crate) fn seen_value(&self) -> Option<&Value> {
        match &self.answer {
            Some(Answer::Hit(seen)) => seen.value.as_ref(),
            _ => None,
        }
    }
}

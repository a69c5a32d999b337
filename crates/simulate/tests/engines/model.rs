//! What the shards may answer: for each key the states that it has had, in the order of its writes, which is the order
//! in which the engine was given to the writers.
//!
//! ```text
//! states of a key     0 ---- 1 ---- 2 ---- 3
//!                            ^             ^
//!                            least         the latest, which may be under way
//!                            that a read may see that begins now: it was acknowledged, or another read has seen it
//! ```
//!
//! A read of another shard's memory takes some steps. What it answers must be a state from the least at its beginning
//! to the latest at its end. Reads by the engine happen between writes: they see the latest.

use corecached_engine::{Deadline, Seconds};

/// A state of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) is_present: bool,
    /// The write that has made the value.
    pub(crate) write: u64,
    /// Length of the value, except for numbers.
    pub(crate) len: usize,
    pub(crate) flags: u32,
    pub(crate) deadline: Deadline,
    /// `None` while the write is under way.
    pub(crate) cas: Option<u64>,
    /// The clock of the shard at the write.
    pub(crate) since: u32,
}

pub(crate) const ABSENT: State = State {
    is_present: false,
    write: 0,
    len: 0,
    flags: 0,
    deadline: Deadline::NEVER,
    cas: None,
    since: 0,
};

/// An item that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// `None` if the value was not read.
    pub(crate) write: Option<u64>,
    /// Length of the value; 0 for numbers.
    pub(crate) len: usize,
    pub(crate) flags: u32,
    pub(crate) deadline: Deadline,
    pub(crate) cas: u64,
}

impl State {
    pub(crate) fn is(&self, seen: &Seen) -> bool {
        self.is_present
            && seen.write.is_none_or(|write| write == self.write)
            && (self.len, self.flags) == (seen.len, seen.flags)
            && self.deadline == seen.deadline
            && self.cas.is_none_or(|cas| cas == seen.cas)
    }
}

#[derive(Debug)]
struct Key {
    states: Vec<State>,
    least: usize,
    is_changing: bool,
    /// Writes so far; the latest number of a key with numbers.
    writes: u64,
}

/// The clock of a shard.
#[derive(Debug, Default)]
struct Clock {
    now: u32,
    /// When a delayed flush is due.
    pending: Option<u32>,
    /// The same of a flush whose time the engine is being told.
    falling: Option<u32>,
    /// How often `pending` was set or put aside.
    flushes: u64,
    /// What was written before this time is dead; the same, once the engine has surely been told.
    dead_before: u32,
    surely_dead_before: u32,
    /// The latest time of any delayed flush.
    latest_flush: u32,
}

/// The beginning of a read.
#[derive(Debug)]
pub(crate) struct Begun {
    key: usize,
    now: u32,
    least: usize,
    dead_before: u32,
    /// The delayed flush that is due, by the number of flushes.
    due: Option<(u32, u64)>,
}

#[derive(Debug)]
pub(crate) struct Model {
    keys: Vec<Key>,
    clocks: Vec<Clock>,
    /// Whether items may be evicted. If not, a read of an item that is there must find it.
    evicts: bool,
}

impl Model {
    pub(crate) fn new(keys: usize, shards: usize, evicts: bool) -> Self {
        let key = |_| Key {
            states: vec![ABSENT],
            least: 0,
            is_changing: false,
            writes: 0,
        };
        Self {
            keys: (0..keys).map(key).collect(),
            clocks: (0..shards).map(|_| Clock::default()).collect(),
            evicts,
        }
    }

    /// The engine of a shard is about to be told the time, by whoever has it.
    pub(crate) fn told_time(&mut self, shard: usize, now: Seconds) {
        let clock = &mut self.clocks[shard];
        clock.now = clock.now.max(now.0);
        if let Some(due) = clock.pending.filter(|&due| due <= clock.now) {
            clock.dead_before = due;
            clock.falling = clock.pending.take();
        }
    }

    /// The engine has been told.
    pub(crate) fn knows_time(&mut self, shard: usize) {
        let clock = &mut self.clocks[shard];
        clock.surely_dead_before = clock.dead_before;
        clock.falling = None;
    }

    /// A delayed flush begins to replace the pending one.
    pub(crate) fn begin_flush_at(&mut self, shard: usize, at: Option<u32>) {
        let clock = &mut self.clocks[shard];
        clock.flushes += 1;
        clock.pending = None;
        clock.latest_flush = clock.latest_flush.max(at.unwrap_or(0));
    }

    pub(crate) fn end_flush_at(&mut self, shard: usize, at: Option<u32>) {
        self.clocks[shard].pending = at;
    }

    /// The latest state, and whether the item lives in it, as far as the model knows.
    pub(crate) fn latest(&self, key: usize, shard: usize) -> (State, bool) {
        let state = *self.keys[key]
            .states
            .last()
            .expect("the first is never removed");
        let clock = &self.clocks[shard];
        let is_dead =
            state.deadline.has_passed(Seconds(clock.now)) || state.since < clock.dead_before;
        (state, state.is_present && !is_dead)
    }

    pub(crate) fn evicts(&self) -> bool {
        self.evicts
    }

    /// The next write of a key.
    pub(crate) fn next_write(&self, key: usize) -> u64 {
        self.keys[key].writes + 1
    }

    pub(crate) fn shard_now(&self, shard: usize) -> u32 {
        self.clocks[shard].now
    }

    /// A write begins, which may lead to this state.
    pub(crate) fn begin(&mut self, key: usize, state: State) {
        let key = &mut self.keys[key];
        assert!(!key.is_changing, "two threads are in one engine");
        key.is_changing = true;
        key.writes += 1;
        key.states.push(state);
    }

    /// The write has ended, in this state.
    pub(crate) fn end(&mut self, key: usize, state: State) {
        let key = &mut self.keys[key];
        key.is_changing = false;
        *key.states.last_mut().expect("it was pushed") = state;
        key.least = key.states.len() - 1;
    }

    /// What the engine has found, while it belongs to the caller. `None`: there is no such item.
    pub(crate) fn engine_saw(&mut self, key: usize, shard: usize, seen: Option<&Seen>) {
        let (state, lives) = self.latest(key, shard);
        match seen {
            Some(seen) => {
                assert!(lives, "key {key}: {seen:?} is dead: {state:?}");
                assert!(state.is(seen), "key {key}: {seen:?}, but it is {state:?}");
            }
            None => {
                assert!(self.evicts || !lives, "key {key}: {state:?} is lost");
                self.is_gone(key);
            }
        }
    }

    /// The key has no item, and will have none before the next write.
    fn is_gone(&mut self, key: usize) {
        let key = &mut self.keys[key];
        if key.states.last().is_some_and(|state| state.is_present) {
            key.states.push(ABSENT);
        }
        key.least = key.states.len() - 1;
    }

    /// A read by a reader begins, with this time.
    pub(crate) fn begin_read(&self, key: usize, shard: usize, now: Seconds) -> Begun {
        let clock = &self.clocks[shard];
        Begun {
            key,
            now: now.0,
            least: self.keys[key].least,
            dead_before: clock.surely_dead_before,
            due: (clock.pending.or(clock.falling))
                .filter(|&due| due <= now.0)
                .map(|due| (due, clock.flushes)),
        }
    }

    /// A reader has found this item.
    pub(crate) fn reader_found(&mut self, begun: &Begun, shard: usize, seen: &Seen) {
        let clock = &self.clocks[shard];
        let dead_before = match begun.due {
            Some((due, flushes)) if flushes == clock.flushes => due.max(begun.dead_before),
            _ => begun.dead_before,
        };
        assert!(
            !seen.deadline.has_passed(Seconds(begun.now)),
            "key {}: {seen:?} has expired",
            begun.key
        );
        let key = &mut self.keys[begun.key];
        let matching = (begun.least..key.states.len()).find(|&state| {
            let state = &key.states[state];
            state.is(seen) && state.since >= dead_before
        });
        let Some(state) = matching else {
            let known = &key.states[begun.least..];
            panic!(
                "key {}: a reader saw {seen:?}, of {known:?}, flushed before {dead_before}",
                begun.key
            );
        };
        key.least = key.least.max(state);
    }

    /// A reader has found no item. `latest`: the latest time anywhere.
    pub(crate) fn reader_missed(&mut self, begun: &Begun, shard: usize, latest: Seconds) {
        let clock = &self.clocks[shard];
        let key = &self.keys[begun.key];
        let may_be_absent = |state: &State| {
            !state.is_present
                || state.deadline.has_passed(latest)
                || state.since < clock.latest_flush.min(latest.0)
        };
        let states = &key.states[begun.least..];
        assert!(
            self.evicts || states.iter().any(may_be_absent),
            "key {}: a reader missed {states:?}",
            begun.key
        );
        if states.len() == 1 {
            self.is_gone(begun.key);
        }
    }
}

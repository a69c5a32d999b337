//! A shard's engine with what others send it, and operations done to it: by its owner, or by a borrower.

use corecached_engine::{
    Arith, ArithExtras, ArithOp, ArithOutcome, Deadline, Delete, DeleteOutcome, Engine, Fetch,
    KeyHash, Lookup, ReadNotes, Seconds, Store, StoreExtras, StoreMode, TouchOutcome,
};
use corecached_mesh::spsc::{Consumer, Producer};

use crate::model::{ABSENT, State};
use crate::outcome::{Done, compared, is_add, seen, stored, wanted};
use crate::value;
use crate::world::World;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Get,
    /// Stores in this mode, with so many bytes behind the head of the value.
    Store(StoreMode, usize, Deadline),
    /// Appends so many bytes.
    Append(usize),
    Count,
    Delete,
    Touch(Deadline),
    GetAndTouch(Deadline),
    /// Flushes the shard of the key, now or at a time.
    Flush(Option<Seconds>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) key: usize,
    pub(crate) verb: Verb,
    /// The place of the operation among those of its thread for this shard.
    pub(crate) number: u64,
}

#[derive(Debug)]
pub(crate) enum Message {
    Op(Op),
    Notes(ReadNotes),
}

/// The reply to an operation: its number, and the cas unique of an item that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) number: u64,
    pub(crate) key: usize,
    pub(crate) cas: Option<u64>,
}

/// One shard, as it is lent.
pub(crate) struct Core {
    pub(crate) shard: usize,
    pub(crate) engine: Engine,
    /// By thread: what it has sent, and the replies to that.
    pub(crate) inboxes: Vec<Consumer<Message>>,
    pub(crate) replies: Vec<Producer<Reply>>,
}

impl Core {
    /// Does what a thread has sent. Each operation that was sent has room for its reply.
    pub(crate) fn serve(&mut self, world: &World, thread: usize, now: Seconds) {
        while let Some(message) = self.inboxes[thread].pop() {
            match message {
                Message::Op(op) => {
                    let reply = self.execute(world, op, now);
                    self.replies[thread]
                        .push(reply)
                        .expect("there is room for each reply");
                }
                Message::Notes(notes) => self.note(world, &notes, now),
            }
        }
    }

    pub(crate) fn note(&mut self, world: &World, notes: &ReadNotes, now: Seconds) {
        self.timed(world, now, |core| core.engine.note_reads(notes, now));
    }

    /// A call by which the engine learns the time.
    pub(crate) fn timed<T>(
        &mut self,
        world: &World,
        now: Seconds,
        call: impl FnOnce(&mut Self) -> T,
    ) -> T {
        world.model.borrow_mut().told_time(self.shard, now);
        let result = call(self);
        world.model.borrow_mut().knows_time(self.shard);
        result
    }

    pub(crate) fn execute(&mut self, world: &World, op: Op, now: Seconds) -> Reply {
        let cas = self.timed(world, now, |core| match op.verb {
            Verb::Get => core.get(world, op.key, Fetch::Count, now),
            Verb::GetAndTouch(deadline) => core.get_and_touch(world, op.key, deadline, now),
            Verb::Flush(at) => core.flush(world, at, now),
            verb => core.change(world, op.key, verb, now),
        });
        Reply {
            number: op.number,
            key: op.key,
            cas,
        }
    }

    fn hash(world: &World, key: usize) -> KeyHash {
        world.keys[key].hash
    }

    pub(crate) fn get(
        &mut self,
        world: &World,
        key: usize,
        fetch: Fetch,
        now: Seconds,
    ) -> Option<u64> {
        let name = &world.keys[key].name;
        let found = self.engine.get(name, Self::hash(world, key), now, fetch);
        let seen = found.map(|hit| seen(key, &hit));
        world
            .model
            .borrow_mut()
            .engine_saw(key, self.shard, seen.as_ref());
        seen.map(|seen| seen.cas)
    }

    fn get_and_touch(
        &mut self,
        world: &World,
        key: usize,
        deadline: Deadline,
        now: Seconds,
    ) -> Option<u64> {
        let model = &world.model;
        let (before, lives) = model.borrow().latest(key, self.shard);
        let since = model.borrow().shard_now(self.shard);
        let touched = State {
            deadline,
            cas: before.cas,
            since,
            ..before
        };
        model
            .borrow_mut()
            .begin(key, if lives { touched } else { ABSENT });
        let name = &world.keys[key].name;
        let (seen, after) =
            match self
                .engine
                .fetch(name, Self::hash(world, key), now, Fetch::Touch(deadline))
            {
                Lookup::Hit(hit) => (Some(seen(key, &hit)), touched),
                Lookup::OutOfMemory(hit) => (Some(seen(key, &hit)), before),
                Lookup::Miss => (
                    None,
                    if model.borrow().evicts() || !lives {
                        ABSENT
                    } else {
                        before
                    },
                ),
            };
        // The new deadline may have passed already: the client still gets the item.
        let is_right = seen.is_none_or(|seen| lives && after.is(&seen));
        assert!(is_right, "key {key}: {seen:?}, but it is {after:?}");
        model.borrow_mut().end(key, after);
        if seen.is_none() {
            model.borrow_mut().engine_saw(key, self.shard, None);
        }
        seen.map(|seen| seen.cas)
    }

    fn flush(&mut self, world: &World, at: Option<Seconds>, now: Seconds) -> Option<u64> {
        let model = &world.model;
        // What was to be later may be now, when it comes to be done.
        let at = at.filter(|at| at.0 > model.borrow().shard_now(self.shard));
        world.counts(|seldom| seldom.flushes += 1);
        model
            .borrow_mut()
            .begin_flush_at(self.shard, at.map(|at| at.0));
        if at.is_some() {
            self.engine.flush_all(at, now);
            model
                .borrow_mut()
                .end_flush_at(self.shard, at.map(|at| at.0));
            return None;
        }
        let keys = world
            .keys
            .iter()
            .enumerate()
            .filter(|(_, key)| key.shard == self.shard);
        let keys: Vec<usize> = keys.map(|(key, _)| key).collect();
        for &key in &keys {
            model.borrow_mut().begin(key, ABSENT);
        }
        self.engine.flush_all(None, now);
        for &key in &keys {
            model.borrow_mut().end(key, ABSENT);
        }
        None
    }

    /// An operation that changes one item: what it may lead to is told the model before it, and what it has led to
    /// behind it.
    fn change(&mut self, world: &World, key: usize, verb: Verb, now: Seconds) -> Option<u64> {
        let model = &world.model;
        if world.evicts {
            // What it leads to depends on whether the item was evicted.
            self.get(world, key, Fetch::Quiet, now);
        }
        let (before, lives) = model.borrow().latest(key, self.shard);
        let (evicts, since) = (
            model.borrow().evicts(),
            model.borrow().shard_now(self.shard),
        );
        let write = model.borrow().next_write(key);
        let wanted = wanted(key, verb, write, since, &before, lives);
        model.borrow_mut().begin(key, wanted);
        let done = self.call(world, key, verb, &wanted, &before, now);
        let context = || format!("key {key}: {verb:?} led to {done:?}, of {before:?}");
        let after = match done {
            Done::Changed(cas) => {
                let needs_item = !matches!(
                    verb,
                    Verb::Store(StoreMode::Set | StoreMode::Add, ..) | Verb::Count
                );
                assert!(lives || !needs_item, "{}", context());
                assert!(evicts || !lives || !is_add(verb), "{}", context());
                assert!(
                    compared(verb).is_none_or(|cas| before.cas == Some(cas)),
                    "{}",
                    context()
                );
                State {
                    cas: cas.or(before.cas),
                    ..wanted
                }
            }
            Done::Deleted => {
                assert!(lives, "{}", context());
                ABSENT
            }
            Done::Present => {
                assert!(lives, "{}", context());
                assert!(
                    compared(verb).is_none_or(|cas| before.cas != Some(cas)),
                    "{}",
                    context()
                );
                before
            }
            Done::Absent => {
                assert!(evicts || !lives, "{}", context());
                ABSENT
            }
            // A set that is refused deletes the item.
            Done::Refused if matches!(verb, Verb::Store(StoreMode::Set, ..)) => ABSENT,
            Done::Refused if lives => before,
            Done::Refused => ABSENT,
        };
        model.borrow_mut().end(key, after);
        None
    }

    fn call(
        &mut self,
        world: &World,
        key: usize,
        verb: Verb,
        wanted: &State,
        before: &State,
        now: Seconds,
    ) -> Done {
        let (name, hash) = (&world.keys[key].name[..], Self::hash(world, key));
        let engine = &mut self.engine;
        let store = |engine: &mut Engine, mode, flags, deadline, value: &[u8]| {
            let store = Store {
                mode,
                key: name,
                hash,
                client_flags: flags,
                deadline,
                value,
                extras: StoreExtras::default(),
            };
            engine.store(&store, now)
        };
        match verb {
            Verb::Store(mode, ..) => {
                let value = value::bytes(key, wanted.write, 0, wanted.len);
                stored(
                    mode,
                    store(engine, mode, wanted.flags, wanted.deadline, &value),
                )
            }
            Verb::Append(more) => {
                let value = value::bytes(key, before.write, before.len, before.len + more);
                stored(
                    StoreMode::Append,
                    store(engine, StoreMode::Append, 0, Deadline::NEVER, &value),
                )
            }
            Verb::Count => {
                let create = Some((wanted.write, Deadline::NEVER));
                let extras = ArithExtras {
                    create,
                    ..ArithExtras::default()
                };
                let arith = Arith {
                    op: ArithOp::Incr,
                    delta: wanted.write - before.write,
                    extras,
                };
                match engine.arith(name, hash, &arith, now) {
                    ArithOutcome::Number { value, cas, .. } if value == wanted.write => {
                        Done::Changed(Some(cas))
                    }
                    ArithOutcome::OutOfMemory => Done::Refused,
                    other => panic!("key {key}: {other:?}, not {wanted:?}, of {before:?}"),
                }
            }
            Verb::Delete => match engine.delete(name, hash, &Delete::default(), now) {
                DeleteOutcome::Deleted => Done::Deleted,
                _ => Done::Absent,
            },
            Verb::Touch(deadline) => match engine.touch(name, hash, deadline, now) {
                TouchOutcome::Touched => Done::Changed(None),
                TouchOutcome::NotFound => Done::Absent,
                TouchOutcome::OutOfMemory => Done::Present,
            },
            Verb::Get | Verb::GetAndTouch(_) | Verb::Flush(_) => unreachable!("done elsewhere"),
        }
    }

    /// Reads every item of the shard, at the end.
    pub(crate) fn check_all(&mut self, world: &World, now: Seconds) {
        let shard = self.shard;
        for key in (0..world.keys.len()).filter(|&key| world.keys[key].shard == shard) {
            self.timed(world, now, |core| core.get(world, key, Fetch::Count, now));
        }
    }
}

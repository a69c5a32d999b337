//! The thread of a shard: turns like those of the server, with operations that the seed chooses.
//!
//! ```text
//!   the clock is read
//!   resume the own engine
//!      what other shards have sent
//!      operations: own keys -> engine;  others -> read directly, or for the outbox
//!      upkeep
//!   put it down
//!   outboxes: on a loan, notes first and own messages before that; or as messages
//!   replies
//! ```

use std::collections::VecDeque;
use std::rc::Rc;

use corecached_engine::{Deadline, Read, ReadFacts, ReadNotes, Seconds, StoreMode, Wanted};
use corecached_simulate::{Rng, pause};

use crate::core::{Core, Message, Op, Reply, Verb};
use crate::outcome::{seen_facts, seen_value};
use crate::value::{NUMBERS, is_number};
use crate::world::{CoreOwner, Link, UNDER_WAY_MAX, World};

/// For a longer value the owner is asked.
const VALUE_MAX: usize = 4096;
/// Keys that half of all operations are for.
const HOT: usize = 8;
/// Notes that are told without an operation.
const NOTES: usize = 8;
/// Keys that a burst changes.
const BURST: usize = 60;

/// What a thread has to do with one other shard.
#[derive(Debug)]
struct Elsewhere {
    link: Link,
    outbox: VecDeque<Op>,
    notes: ReadNotes,
    /// Numbers of operations: the next one, the next one that is sent, and the next reply.
    given: u64,
    sent: u64,
    answered: u64,
}

pub(crate) struct Worker {
    world: Rc<World>,
    shard: usize,
    elsewhere: Vec<Elsewhere>,
    /// The latest cas unique that this thread has seen, and its key.
    known_cas: Option<(usize, u64)>,
    /// Percentage of operations that are gets.
    gets: usize,
    /// It rests for fewer turns of others than this, as if it waited in the kernel.
    rests: usize,
    index_size: u64,
    rng: Rng,
}

impl Worker {
    pub(crate) fn new(world: Rc<World>, shard: usize, links: Vec<Link>, mut rng: Rng) -> Self {
        let elsewhere = links.into_iter().map(|link| Elsewhere {
            link,
            outbox: VecDeque::new(),
            notes: ReadNotes::default(),
            given: 0,
            sent: 0,
            answered: 0,
        });
        Self {
            world,
            shard,
            elsewhere: elsewhere.collect(),
            known_cas: None,
            gets: rng.one_of(&[50, 80, 95]),
            rests: rng.one_of(&[1, 10, 200]),
            index_size: 0,
            rng,
        }
    }

    pub(crate) fn run(mut self, mut owner: CoreOwner) {
        while !self.world.is_over() {
            self.tick(&mut owner);
        }
    }

    fn tick(&mut self, owner: &mut CoreOwner) {
        let world = Rc::clone(&self.world);
        let now = Seconds(world.now.get());
        {
            let mut turn = owner.resume();
            for thread in 0..world.shards {
                turn.serve(&world, thread, now);
            }
            for _ in 0..self.rng.below(16) {
                let (key, verb) = self.choose(now);
                self.begin(&mut turn, key, verb, now);
            }
            self.upkeep(&mut turn, now);
        }
        for shard in 0..world.shards {
            if shard != self.shard {
                self.exchange(shard, now);
            }
        }
        if self.rng.one_in(20 * world.shards) {
            world
                .now
                .set(world.now.get() + self.rng.one_of(&[1, 1, 1, 3]));
        }
        for _ in 0..=self.rng.below(self.rests) {
            pause();
        }
    }

    fn key(&mut self) -> usize {
        let keys = self.world.keys.len();
        match self.rng.one_in(2) {
            true => self.rng.below(NUMBERS + HOT),
            false => self.rng.below(keys),
        }
    }

    fn deadline(&mut self, now: Seconds) -> Deadline {
        match self.rng.one_in(4) {
            true => Deadline(now.0 + 1 + self.rng.below(4) as u32),
            false => Deadline::NEVER,
        }
    }

    fn choose(&mut self, now: Seconds) -> (usize, Verb) {
        let key = self.key();
        if self.rng.below(100) < self.gets {
            return (key, Verb::Get);
        }
        let deadline = self.deadline(now);
        let most = self.rng.one_of(self.world.lengths);
        let len = self.rng.below(most);
        let verb = match self.rng.below(100) {
            0..8 => Verb::Delete,
            8..16 => Verb::Touch(deadline),
            16..24 => Verb::GetAndTouch(deadline),
            24 if self.rng.one_in(4) => {
                let at = Seconds(now.0 + 1 + self.rng.below(4) as u32);
                Verb::Flush(self.rng.one_in(2).then_some(at))
            }
            _ if is_number(key) => Verb::Count,
            25..40 => Verb::Append(1 + self.rng.below(60)),
            40..48 => Verb::Store(StoreMode::Add, len, deadline),
            48..58 => match self.known_cas {
                Some((key, cas)) if !is_number(key) => {
                    return (key, Verb::Store(StoreMode::Cas(cas), len, deadline));
                }
                _ => Verb::Get,
            },
            _ => Verb::Store(StoreMode::Set, len, deadline),
        };
        (key, verb)
    }

    fn begin(&mut self, turn: &mut Core, key: usize, verb: Verb, now: Seconds) {
        let world = Rc::clone(&self.world);
        let shard = world.keys[key].shard;
        if shard == self.shard {
            let reply = turn.execute(
                &world,
                Op {
                    key,
                    verb,
                    number: 0,
                },
                now,
            );
            return self.learn(&reply);
        }
        let elsewhere = &self.elsewhere[shard];
        // A get does not overtake what this thread has sent.
        let may_read = elsewhere.given == elsewhere.answered;
        if matches!(verb, Verb::Get) && may_read && self.read(key, shard, now) {
            return;
        }
        let elsewhere = &mut self.elsewhere[shard];
        if elsewhere.outbox.len() < UNDER_WAY_MAX {
            let number = elsewhere.given;
            elsewhere.given += 1;
            elsewhere.outbox.push_back(Op { key, verb, number });
        }
    }

    /// Reads a key of another shard directly. False: the owner is to be asked.
    fn read(&mut self, key: usize, shard: usize, now: Seconds) -> bool {
        let world = Rc::clone(&self.world);
        let begun = world.model.borrow().begin_read(key, shard, now);
        let mut out = b"before".to_vec();
        let mut tries = 0;
        let wanted = match self.rng.one_in(5) {
            true => Wanted::Facts,
            false => Wanted::Value,
        };
        let begin = |_: &ReadFacts, out: &mut Vec<u8>| {
            tries += 1;
            out.push(b' ');
            wanted
        };
        let name = &world.keys[key];
        let read =
            world.readers[shard].read(&name.name, name.hash, now, VALUE_MAX, &mut out, begin);
        if tries > 1 {
            world.counts(|seldom| seldom.read_again += 1);
        }
        match read {
            Read::Hit(facts) => {
                let value = out.strip_prefix(b"before ").expect("what was there stays");
                let (flags, deadline, cas) = (facts.client_flags, facts.deadline, facts.cas);
                let seen = match wanted {
                    Wanted::Value => {
                        assert_eq!(value.len(), facts.value_bytes);
                        seen_value(key, value, flags, deadline, cas)
                    }
                    _ => seen_facts(key, facts.value_bytes, flags, deadline, cas),
                };
                world.model.borrow_mut().reader_found(&begun, shard, &seen);
                world.counts(|seldom| seldom.read_hits += 1);
                self.elsewhere[shard].notes.add(facts.class, facts.note);
                self.known_cas = Some((key, facts.cas));
            }
            Read::Miss => {
                let latest = Seconds(world.now.get());
                world
                    .model
                    .borrow_mut()
                    .reader_missed(&begun, shard, latest);
                world.counts(|seldom| seldom.read_misses += 1);
            }
            Read::Ask => {
                assert_eq!(out, b"before");
                world.counts(|seldom| seldom.asked += 1);
            }
        }
        read != Read::Ask
    }

    fn learn(&mut self, reply: &Reply) {
        if let Some(cas) = reply.cas {
            self.known_cas = Some((reply.key, cas));
        }
    }

    /// Takes the replies of a shard, and has done there what waits for that.
    fn exchange(&mut self, shard: usize, now: Seconds) {
        self.take_replies(shard);
        let elsewhere = &self.elsewhere[shard];
        if elsewhere.outbox.is_empty() && elsewhere.notes.used() < NOTES {
            return;
        }
        let world = Rc::clone(&self.world);
        if self.rng.one_in(2) {
            match world.lent[shard].try_borrow() {
                Some(mut loan) => {
                    world.counts(|seldom| seldom.loans += 1);
                    return self.on_loan(&mut loan, now);
                }
                None => world.counts(|seldom| seldom.refused_loans += 1),
            }
        }
        self.send(shard);
    }

    fn take_replies(&mut self, shard: usize) {
        while let Some(reply) = self.elsewhere[shard].link.from.pop() {
            let elsewhere = &mut self.elsewhere[shard];
            assert_eq!(reply.number, elsewhere.answered, "replies out of order");
            elsewhere.answered += 1;
            self.learn(&reply);
        }
    }

    fn on_loan(&mut self, loan: &mut Core, now: Seconds) {
        let world = Rc::clone(&self.world);
        let shard = loan.shard;
        // What this thread has sent before comes first.
        loan.serve(&world, self.shard, now);
        self.take_replies(shard);
        let elsewhere = &mut self.elsewhere[shard];
        assert_eq!(elsewhere.sent, elsewhere.answered);
        if !elsewhere.notes.is_empty() {
            world.counts(|seldom| seldom.notes += 1);
            loan.note(&world, &elsewhere.notes, now);
            elsewhere.notes.clear();
        }
        while let Some(op) = self.elsewhere[shard].outbox.pop_front() {
            let reply = loan.execute(&world, op, now);
            let elsewhere = &mut self.elsewhere[shard];
            elsewhere.sent += 1;
            elsewhere.answered += 1;
            self.learn(&reply);
        }
    }

    fn send(&mut self, shard: usize) {
        let elsewhere = &mut self.elsewhere[shard];
        if !elsewhere.notes.is_empty() {
            let notes = std::mem::take(&mut elsewhere.notes);
            if let Err(Message::Notes(notes)) = elsewhere.link.to.push(Message::Notes(notes)) {
                elsewhere.notes = notes;
            }
        }
        while elsewhere.sent - elsewhere.answered < UNDER_WAY_MAX as u64 {
            let Some(&op) = elsewhere.outbox.front() else {
                return;
            };
            if elsewhere.link.to.push(Message::Op(op)).is_err() {
                return;
            }
            elsewhere.outbox.pop_front();
            elsewhere.sent += 1;
            self.world.counts(|seldom| seldom.messages += 1);
        }
    }

    fn upkeep(&mut self, turn: &mut Core, now: Seconds) {
        let world = Rc::clone(&self.world);
        let size = turn.engine.stats().hash_power_level;
        if size != std::mem::replace(&mut self.index_size, size) {
            world.counts(|seldom| seldom.index_sizes += 1);
        }
        let class = 1 + self.rng.below(20) as u8;
        let part = 50 + self.rng.below(50) as u64;
        match self.rng.below(40) {
            0..4 => drop(turn.timed(&world, now, |core| core.engine.maintain(now))),
            4..6 => {
                turn.timed(&world, now, |core| core.engine.sweep(now, 300));
            }
            6..8 => drop(turn.timed(&world, now, |core| core.engine.reap(now, 200, 2))),
            8..10 if world.evicts => {
                let _ = turn.timed(&world, now, |core| core.engine.reassign(None, class, now));
            }
            10..12 if world.evicts => {
                turn.timed(&world, now, |core| {
                    core.engine.release_idle_page(0, 64, now)
                });
            }
            12..14 if world.evicts => drop(turn.engine.trim(200)),
            14 if world.evicts => world.budget.set_limit_bytes(world.limit_bytes * part / 100),
            15..17 => self.burst(turn, now),
            _ => {}
        }
    }

    /// Deletes or stores many keys of this shard, so that leaves of the index are split and merged.
    fn burst(&mut self, turn: &mut Core, now: Seconds) {
        let world = Rc::clone(&self.world);
        let first = self.rng.below(world.keys.len());
        let deletes = self.rng.one_in(2);
        let keys = (NUMBERS..world.keys.len()).skip(first);
        for key in keys
            .filter(|&key| world.keys[key].shard == self.shard)
            .take(BURST)
        {
            let verb = match deletes {
                true => Verb::Delete,
                false => Verb::Store(StoreMode::Set, 8, Deadline::NEVER),
            };
            turn.execute(
                &world,
                Op {
                    key,
                    verb,
                    number: 0,
                },
                now,
            );
        }
    }
}

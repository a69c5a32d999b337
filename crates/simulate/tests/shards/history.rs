//! What clients have sent and got, and whether a cache could have answered so.

use corecached_simulate::steps;

use crate::item::Rules;
use crate::op::{Answer, Op, Verb};
use crate::search::Search;

/// All operations, in the order in which they were sent.
#[derive(Debug)]
pub(crate) struct History {
    ops: Vec<Op>,
    /// The server's clock.
    pub(crate) now: u32,
    /// For each shard in a turn, the clock when the turn began: that is the time of the whole turn.
    turns: Vec<Option<u32>>,
}

impl History {
    pub(crate) fn new(now: u32, shards: usize) -> History {
        History {
            ops: Vec::new(),
            now,
            turns: vec![None; shards],
        }
    }

    pub(crate) fn begin_turn(&mut self, shard: usize) {
        self.turns[shard] = Some(self.now);
    }

    pub(crate) fn end_turn(&mut self, shard: usize) {
        self.turns[shard] = None;
    }

    /// The number of the next operation.
    pub(crate) fn next(&self) -> usize {
        self.ops.len()
    }

    /// An operation is sent; returns its number.
    pub(crate) fn begin(&mut self, client: usize, key: usize, verb: Verb) -> usize {
        let number = self.ops.len();
        // A shard may run it in a turn that has begun before.
        let turns = self.turns.iter().flatten().copied();
        let from = turns.min().unwrap_or(self.now);
        self.ops.push(Op {
            number,
            client,
            key,
            began: steps(),
            ended: u64::MAX,
            from: from.min(self.now),
            to: u32::MAX,
            verb,
            answer: None,
        });
        number
    }

    /// It was answered.
    pub(crate) fn end(&mut self, number: usize, answer: Answer) {
        let op = &mut self.ops[number];
        (op.ended, op.to, op.answer) = (steps(), self.now, Some(answer));
    }

    pub(crate) fn verb(&self, number: usize) -> Verb {
        self.ops[number].verb
    }

    pub(crate) fn key(&self, number: usize) -> usize {
        self.ops[number].key
    }

    /// Panics unless a cache could have answered so. Returns the number of answers, and how many steps of a search it
    /// took to see that.
    pub(crate) fn check(&self, keys: usize, rules: Rules) -> (usize, usize) {
        let mut of_keys = vec![Vec::new(); keys];
        for op in &self.ops {
            of_keys[op.key].push(op);
        }
        let searched = of_keys.into_iter().map(|ops| Search::new(ops, rules).run());
        (self.ops.len(), searched.sum())
    }
}

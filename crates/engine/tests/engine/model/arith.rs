//! Counters.

use corecached_engine::{Arith, ArithExtras, ArithOp, ArithOutcome, Fetch, Seconds};

use crate::support::hash;

use super::Model;
use super::entry::Entry;

impl Model {
    pub(super) fn arith(&mut self) {
        let key = self.key();
        let expected = self.expected(&key);
        let op = if self.rng.one_in(2) {
            ArithOp::Incr
        } else {
            ArithOp::Decr
        };
        let delta = self.rng.next() >> self.rng.below(64);
        let extras = if self.rng.one_in(2) {
            ArithExtras::default()
        } else {
            ArithExtras {
                compare: self.compare(expected.as_ref()),
                new_cas: self.new_cas(),
                deadline: self.rng.one_in(3).then(|| self.deadline()),
                create: self
                    .rng
                    .one_in(2)
                    .then(|| (self.rng.next() >> self.rng.below(64), self.deadline())),
                binary_key: self.rng.one_in(4),
            }
        };
        let arith = Arith { op, delta, extras };
        match self
            .engine
            .arith(&key, hash(&key), &arith, Seconds(self.now))
        {
            ArithOutcome::Number {
                value,
                cas,
                deadline,
                created: true,
            } => {
                assert_eq!(extras.create, Some((value, deadline)));
                self.check_new_cas(extras.new_cas, cas);
                self.is_gone(&key);
                let entry = Entry {
                    value: value.to_string().into_bytes(),
                    flags: 0,
                    deadline,
                    cas,
                    binary_key: extras.binary_key,
                    stale: false,
                    won: false,
                    fetched: Some(false),
                    used: self.now,
                };
                self.map.insert(key, entry);
            }
            ArithOutcome::Number {
                value,
                cas,
                deadline,
                created: false,
            } => {
                self.check_new_cas(extras.new_cas, cas);
                assert_eq!(deadline, expected.expect("a number").deadline);
                self.changed(&key, &arith, value, cas);
            }
            ArithOutcome::NotFound => {
                assert!(extras.create.is_none());
                self.is_gone(&key);
            }
            ArithOutcome::NonNumeric => assert!(expected.is_some()),
            ArithOutcome::Exists => {
                assert!(extras.compare.is_some());
                assert_ne!(extras.compare, expected.map(|entry| entry.cas));
            }
            ArithOutcome::OutOfMemory => self.judge_out_of_memory(),
        }
    }

    /// Takes over a number that was changed.
    pub(super) fn changed(&mut self, key: &[u8], arith: &Arith, value: u64, cas: u64) {
        self.hear_of_evictions_but(key);
        let now = Seconds(self.now);
        let entry = self.map.get_mut(key).expect("a number");
        assert!(arith.extras.compare.is_none_or(|cas| cas == entry.cas));
        let text = String::from_utf8_lossy(&entry.value);
        let number: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
        let result = match arith.op {
            ArithOp::Incr => number.wrapping_add(arith.delta),
            ArithOp::Decr => number.saturating_sub(arith.delta),
        };
        assert_eq!(value, result);
        let deadline = arith.extras.deadline.unwrap_or(entry.deadline);
        if deadline.has_passed(now) {
            self.map.remove(key);
            return;
        }
        let hit = self.engine.get(key, hash(key), now, Fetch::Quiet).unwrap();
        let shown: Vec<u8> = hit.value_chunks().flatten().copied().collect();
        let padded = format!("{result:<width$}", width = entry.value.len()).into_bytes();
        assert!(shown == padded || shown == result.to_string().into_bytes());
        *entry = Entry {
            value: shown,
            cas,
            deadline,
            fetched: None,
            used: self.now,
            ..entry.clone()
        };
    }
}

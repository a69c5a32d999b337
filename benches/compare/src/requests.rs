//! Batches of requests, and what their replies must be.

use std::collections::VecDeque;

use corecached_client::wire::text::{self, Store, StoreVerb};

use crate::args::Args;
use crate::keyspace::{Choice, Keyspace};

/// The reply a request waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// `STORED`.
    Stored,
    /// Values of these keys, in this order, then `END`.
    Values(VecDeque<u32>),
}

/// Writes batches of requests.
pub(crate) struct Batches {
    keyspace: Keyspace,
    choice: Choice,
    depth: u32,
    multiget: u32,
}

impl Batches {
    pub(crate) fn new(args: &Args) -> std::io::Result<Self> {
        Ok(Self {
            keyspace: Keyspace::new(args),
            choice: Choice::new(args)?,
            depth: args.depth,
            multiget: args.multiget,
        })
    }

    /// Fills `out` with one batch and `expected` with its replies.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>, expected: &mut VecDeque<Expected>) {
        out.clear();
        for _ in 0..self.depth {
            expected.push_back(if self.choice.is_get() {
                self.push_get(out)
            } else {
                let number = self.choice.key();
                push_set(out, &self.keyspace, number, false);
                Expected::Stored
            });
        }
    }

    fn push_get(&mut self, out: &mut Vec<u8>) -> Expected {
        let numbers: VecDeque<u32> = (0..self.multiget).map(|_| self.choice.key()).collect();
        let keys = numbers.iter().map(|number| self.keyspace.key(*number));
        text::multi_get(out, keys);
        Expected::Values(numbers)
    }
}

/// Appends a set of key `number`.
pub(crate) fn push_set(out: &mut Vec<u8>, keyspace: &Keyspace, number: u32, noreply: bool) {
    let store = Store {
        noreply,
        ..Store::new(StoreVerb::Set)
    };
    text::store(out, keyspace.key(number), &store, keyspace.value(number));
}

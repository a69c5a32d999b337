//! Batches of requests, and what their replies must be.

use std::collections::VecDeque;

use corecached_client::wire::Piece;
use corecached_client::wire::meta::Command;
use corecached_client::wire::text::{self, ReplyMode, Store, StoreVerb};

use crate::args::{Args, Protocol};
use crate::choice::Choice;
use crate::keyspace::Keyspace;

/// The reply a request waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// `STORED`.
    Stored,
    /// Values of these keys, in this order, then `END`.
    Values(VecDeque<u32>),
    /// `HD`: a set of the meta protocol was done.
    MetaStored,
    /// `VA` with the value of this key, or `EN`.
    MetaValue(u32),
}

/// Writes batches of requests.
pub(crate) struct Batches {
    keyspace: Keyspace,
    choice: Choice,
    protocol: Protocol,
    depth: u32,
    multiget: u32,
}

impl Batches {
    pub(crate) fn new(args: &Args) -> std::io::Result<Self> {
        Ok(Self {
            keyspace: Keyspace::new(args),
            choice: Choice::new(args)?,
            protocol: args.protocol,
            depth: args.depth,
            multiget: args.multiget,
        })
    }

    /// Fills `out` with one batch and `expected` with its replies.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>, expected: &mut VecDeque<Expected>) {
        out.clear();
        for _ in 0..self.depth {
            let request = match (self.choice.is_get(), self.protocol) {
                (true, Protocol::Text) => self.push_get(out),
                (true, Protocol::Meta) => self.push_meta_get(out),
                (false, Protocol::Text) => {
                    push_set(
                        out,
                        &self.keyspace,
                        self.choice.key_to_set(),
                        ReplyMode::Reply,
                    );
                    Expected::Stored
                }
                (false, Protocol::Meta) => self.push_meta_set(out),
            };
            expected.push_back(request);
        }
    }

    fn push_get(&mut self, out: &mut Vec<u8>) -> Expected {
        let numbers: VecDeque<u32> = (0..self.multiget)
            .map(|_| self.choice.key_to_get())
            .collect();
        let keys = numbers.iter().map(|number| self.keyspace.key(*number));
        text::multi_get(out, keys);
        Expected::Values(numbers)
    }

    /// `mg <key> v`: the key need not come back, because the value carries the number of its key.
    fn push_meta_get(&mut self, out: &mut Vec<u8>) -> Expected {
        let number = self.choice.key_to_get();
        Command::get(out, self.keyspace.key(number))
            .letter(b'v')
            .end();
        Expected::MetaValue(number)
    }

    fn push_meta_set(&mut self, out: &mut Vec<u8>) -> Expected {
        let number = self.choice.key_to_set();
        let value = self.keyspace.value(number);
        Command::set(out, self.keyspace.key(number), value.length()).end_with_value(value);
        Expected::MetaStored
    }
}

/// Appends a set of key `number`.
pub(crate) fn push_set(out: &mut Vec<u8>, keyspace: &Keyspace, number: u32, wants: ReplyMode) {
    let store = Store {
        noreply: wants == ReplyMode::Noreply,
        ..Store::new(StoreVerb::Set)
    };
    text::store(out, keyspace.key(number), &store, keyspace.value(number));
}

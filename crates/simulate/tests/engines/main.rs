//! Engines of many shards with all that they share, on one thread, in an order that a seed decides. Every answer is
//! compared with a model of each key.
//!
//! ```text
//! world     what the seed makes: shards, memory, keys; and what must have happened in the end
//! worker    the thread of a shard: turns, direct reads, loans, messages, notes
//! core      an engine and what is done to it
//! outcome   what that leads to
//! model     what may be answered
//! moves     one engine that moves its items while they are read
//! value     values that say what they are
//! ```
//!
//! `CORECACHED_SEED` is the first seed, and `CORECACHED_SIMULATION_STEPS` says after how many steps no further world
//! begins (default: 90 million). docs/design/005-direct-reads.md says what was found so.

mod core;
mod model;
mod moves;
mod outcome;
mod value;
mod worker;
mod world;

use std::panic::catch_unwind;

use crate::world::{Seldom, simulate};

const STEPS: u64 = 90_000_000;

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

fn sum(all: &mut Seldom, some: &Seldom) {
    all.steps += some.steps;
    all.worlds += some.worlds;
    all.read_hits += some.read_hits;
    all.read_misses += some.read_misses;
    all.asked += some.asked;
    all.read_again += some.read_again;
    all.loans += some.loans;
    all.refused_loans += some.refused_loans;
    all.messages += some.messages;
    all.notes += some.notes;
    all.evictions += some.evictions;
    all.pages_moved += some.pages_moved;
    all.index_sizes += some.index_sizes;
    all.flushes += some.flushes;
}

#[test]
fn shards_answer_as_one_map_that_forgets() {
    let first = setting("CORECACHED_SEED", 1);
    let steps = setting("CORECACHED_SIMULATION_STEPS", STEPS);
    let mut all = Seldom::default();
    for seed in first.. {
        let Ok((_, some)) = catch_unwind(|| simulate(seed)) else {
            panic!(
                "seed {seed} fails, {} steps after the first. Again: CORECACHED_SEED={seed} \
                 CORECACHED_SIMULATION_STEPS=1 cargo test -p corecached-simulate --features simulate --profile checked \
                 --test engines",
                all.steps + corecached_simulate::steps()
            );
        };
        sum(&mut all, &some);
        if all.steps >= steps {
            break;
        }
    }
    println!("{all:?}");
    if steps >= STEPS {
        let seldom = [
            all.read_hits,
            all.read_misses,
            all.asked,
            all.read_again,
            all.loans,
            all.refused_loans,
            all.messages,
            all.notes,
            all.evictions,
            all.pages_moved,
            all.index_sizes,
            all.flushes,
        ];
        assert!(
            seldom.iter().all(|&times| times > 10),
            "something never happens: {all:?}"
        );
    }
}

#[test]
fn a_seed_is_one_world() {
    assert_eq!(simulate(7).0, simulate(7).0);
}

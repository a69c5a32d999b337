//! The server's shards without sockets, on one thread, in an order that a seed decides: clients send pipelines over
//! connections of all shards, and what they get is compared with what they have sent.
//!
//! ```text
//! world     what a seed decides: shards, memory, clients, what they ask for
//! client    pipelines of requests, replies in their order
//! choose    operator    which requests
//! request   wire text meta binary    how operations are written, and replies read
//! memory    how much of it a world has
//! sleep     shards that have nothing to do run again when they are rung, a client sends something, or a timer fires
//! op value  operations and values, whatever the protocol
//! history   what was sent and answered
//! search    whether there is an order of the operations on a key in which a cache could have answered so
//! model item    what a cache may answer to an operation, and what it is afterwards
//! ```
//!
//! `CORECACHED_SEED` is the first seed, and `CORECACHED_SIMULATION_STEPS` says after how many steps no further world
//! begins (default: 35 million). docs/design/005-direct-reads.md says what was found so.

mod binary;
mod choose;
mod client;
mod history;
mod item;
mod memory;
mod meta;
mod model;
mod op;
mod operator;
mod request;
mod search;
mod sleep;
mod text;
mod value;
mod wire;
mod world;

use std::panic::catch_unwind;

use crate::world::{Ran, simulate};

const STEPS: u64 = 35_000_000;

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn clients_of_all_shards_see_one_map() {
    let first = setting("CORECACHED_SEED", 1);
    let most = setting("CORECACHED_SIMULATION_STEPS", STEPS);
    let mut all = Ran::default();
    for seed in first.. {
        let Ok(ran) = catch_unwind(|| simulate(seed)) else {
            panic!(
                "seed {seed} fails, {} steps after the first. Again: CORECACHED_SEED={seed} \
                 CORECACHED_SIMULATION_STEPS=1 cargo test -p corecached-simulate --features server --profile checked \
                 --test shards",
                all.steps + corecached_simulate::steps()
            );
        };
        all.add(ran);
        if all.steps >= most {
            break;
        }
    }
    println!("{all:?}");
    assert!(all.answered > 100);
    assert!(most < STEPS || all.woken > 10 && all.evictions > 10 && all.pages_moved > 10);
}

#[test]
fn a_seed_is_one_world() {
    assert_eq!(simulate(3), simulate(3));
}

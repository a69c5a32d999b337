//! The server's shards without sockets, on one thread, in an order that a seed decides: clients send pipelines over
//! connections of all shards, and what they get is compared with what they have sent.
//!
//! ```text
//! client    pipelines of requests, replies in their order
//! sleep     shards that have nothing to do run again when they are rung, a client sends something, or a timer fires
//! counts    which numbers increments may have answered
//! history   which value a get may have found, given what was sent and answered before
//! ```
//!
//! `CORECACHED_SEED` is the first seed, and `CORECACHED_SIMULATION_STEPS` says after how many steps no further world
//! begins (default: 40 million). docs/design/005-direct-reads.md says what was found so.

mod client;
mod counts;
mod history;
mod sleep;

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::rc::Rc;

use corecached::simulated::{self, Shard};
use corecached_simulate::{Report, Rng, Thread, pause, run};

use crate::client::{Client, Values};
use crate::history::History;
use crate::sleep::{Bed, Beds};

const STEPS: u64 = 40_000_000;
/// Steps after which clients send no more.
const WORLD_STEPS: u64 = 300_000;
/// Steps within which everything has to be answered.
const WORLD_STEPS_MAX: u64 = 40 * WORLD_STEPS;
const MEMORY_BYTES: u64 = 256 << 20;

/// What all threads of a world share.
struct World {
    history: RefCell<History>,
    /// Connections that still wait for replies, or may send more.
    open: Cell<usize>,
    beds: Beds,
}

/// The clients of one shard.
struct Clients<'a> {
    world: &'a World,
    clients: Vec<Client>,
    rng: Rng,
    /// What they have sent since the last turn, by connection.
    arrivals: Vec<(usize, Vec<u8>)>,
}

impl Clients<'_> {
    /// The shard is in the kernel: it rings others, and if it `sleeps`, it sleeps until it is rung, or clients send
    /// something, or its timer fires.
    fn enter(&mut self, rings: &[usize], sleeps: bool, bed: &Bed, rng: &mut Rng) {
        let world = self.world;
        let is_asleep = bed.lies_down(rng);
        world.beds.ring(rings);
        self.send();
        while sleeps && self.arrivals.is_empty() && world.open.get() > 0 && is_asleep() {
            pause();
            if rng.one_in(bed.thinks) {
                self.send();
            }
        }
    }

    /// Takes what clients send.
    fn send(&mut self) {
        let is_over = corecached_simulate::steps() >= WORLD_STEPS;
        let mut history = self.world.history.borrow_mut();
        for (number, client) in self.clients.iter_mut().enumerate() {
            let bytes = client.send(&mut history, &mut self.rng, is_over);
            if !bytes.is_empty() {
                self.arrivals.push((number, bytes));
            }
        }
        let clients = self.clients.iter_mut().map(Client::has_just_ended);
        let done = clients.filter(|&ended| ended).count();
        self.world.open.set(self.world.open.get() - done);
    }

    fn receive(&mut self, replies: Vec<(usize, Vec<u8>)>) {
        let mut history = self.world.history.borrow_mut();
        for (number, bytes) in replies {
            self.clients[number].receive(&mut history, &bytes);
        }
    }
}

/// The thread of a shard, with its clients.
fn serve(world: &World, mut shard: Shard, clients: Vec<Client>, bed: &Bed, mut rng: Rng) -> Shard {
    let rests = rng.one_of(&[1, 10, 100]);
    for _ in &clients {
        shard.connect();
    }
    let mut clients = Clients {
        world,
        clients,
        rng: Rng::new(rng.number()),
        arrivals: Vec::new(),
    };
    while world.open.get() > 0 {
        if rng.one_in(bed.parks_one_in) {
            shard.park(|rings| clients.enter(rings, true, bed, &mut rng));
        }
        shard.rest(|rings, sleeps| clients.enter(rings, sleeps, bed, &mut rng));
        let arrivals = std::mem::take(&mut clients.arrivals);
        let replies = shard.turn(&arrivals, rng.one_in(4));
        clients.receive(replies);
        if rng.one_in(200) {
            shard.pass_time(1);
        }
        for _ in 0..=rng.below(rests) {
            pause();
        }
    }
    shard
}

/// Runs the world of a seed. Returns how many requests were answered and how many sleeps a ring has ended, too.
fn simulate(seed: u64) -> (Report, usize, usize) {
    let mut rng = Rng::new(seed);
    let shards = rng.one_of(&[2, 2, 3, 4, 8, 16]);
    let each = rng.one_of(&[1, 2, 4]);
    // Shards without clients are woken by other shards only.
    let with_clients = rng.one_of(&[1, shards / 2, shards, shards]);
    let waits = rng.one_of(&[true, true, false]);
    let values = rng.one_of(&[
        Values::Small,
        Values::Small,
        Values::Small,
        Values::SomeLarge,
    ]);
    println!("seed {seed}: {shards} shards, {each} connections to each of {with_clients}");
    let world = Rc::new(World {
        history: RefCell::default(),
        open: Cell::new(with_clients * each),
        beds: Beds::new(&mut rng, shards),
    });
    let served = Rc::new(RefCell::new(Vec::new()));
    let threads = simulated::start(shards, MEMORY_BYTES)
        .into_iter()
        .enumerate();
    let threads = threads.map(|(number, shard)| -> Thread {
        let (world, served) = (Rc::clone(&world), Rc::clone(&served));
        let each = if number < with_clients { each } else { 0 };
        let clients = (0..each).map(|client| Client::new(number * each + client, waits, values));
        let (clients, rng) = (clients.collect(), Rng::new(rng.number()));
        Box::new(move || {
            let bed = world.beds.of(number);
            let shard = serve(&world, shard, clients, bed, rng);
            served.borrow_mut().push(shard);
        })
    });
    let threads = threads.collect();
    let report = run(rng.number(), WORLD_STEPS_MAX, threads);
    for shard in served.borrow_mut().iter_mut() {
        shard.check_integrity();
    }
    let (answered, woken) = (world.history.borrow().check(), world.beds.woken());
    (report, answered, woken)
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn clients_of_all_shards_see_one_map() {
    let first = setting("CORECACHED_SEED", 1);
    let most = setting("CORECACHED_SIMULATION_STEPS", STEPS);
    let (mut steps, mut answered, mut woken) = (0, 0, 0);
    for seed in first.. {
        let Ok((report, answers, wakes)) = catch_unwind(|| simulate(seed)) else {
            panic!(
                "seed {seed} fails, {} steps after the first. Again: CORECACHED_SEED={seed} \
                 CORECACHED_SIMULATION_STEPS=1 cargo test -p corecached-simulate --features server --profile checked \
                 --test shards",
                steps + corecached_simulate::steps()
            );
        };
        steps += report.steps;
        answered += answers;
        woken += wakes;
        if steps >= most {
            break;
        }
    }
    println!("{steps} steps, {answered} requests answered, {woken} sleeps ended by a ring");
    assert!(answered > 100);
    assert!(woken > 10 || most < STEPS);
}

#[test]
fn a_seed_is_one_world() {
    assert_eq!(simulate(3), simulate(3));
}

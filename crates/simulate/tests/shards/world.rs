//! A world of a seed: shards of some memory, the clients of each, and the thread that serves them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use corecached::simulated::{self, Shard};
use corecached_simulate::{Rng, Thread, pause, run};

use crate::choose::Mix;
use crate::client::{COUNTERS, Client, Manner};
use crate::history::History;
use crate::memory::Memory;
use crate::sleep::{Bed, Beds};
use crate::value::Values;
use crate::wire::Wire;

/// Steps after which clients send no more.
const WORLD_STEPS: u64 = 300_000;
/// Steps within which everything has to be answered.
const WORLD_STEPS_MAX: u64 = 40 * WORLD_STEPS;

/// What has happened in a world, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) steps: u64,
    trace: u64,
    /// Operations on keys.
    pub(crate) answered: usize,
    /// Steps of the search for an order of them.
    searched: usize,
    /// Sleeps that a ring has ended.
    pub(crate) woken: usize,
    pub(crate) evictions: u64,
    pub(crate) pages_moved: u64,
}

impl Ran {
    pub(crate) fn add(&mut self, ran: Ran) {
        self.steps += ran.steps;
        self.trace ^= ran.trace;
        self.answered += ran.answered;
        self.searched += ran.searched;
        self.woken += ran.woken;
        self.evictions += ran.evictions;
        self.pages_moved += ran.pages_moved;
    }
}

/// What all threads of a world share.
struct World {
    history: RefCell<History>,
    /// Connections that still wait for replies, or may send more.
    open: Cell<usize>,
    beds: Beds,
    /// A shard lets a second pass once in so many turns.
    second_one_in: usize,
}

/// The clients of one shard.
struct Clients<'a> {
    world: &'a World,
    /// Their connections, by number.
    clients: Vec<(usize, Client)>,
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
        for (conn, client) in &mut self.clients {
            let bytes = client.send(&mut history, &mut self.rng, is_over);
            if !bytes.is_empty() {
                self.arrivals.push((*conn, bytes));
            }
        }
        let clients = self.clients.iter_mut();
        let done = clients.filter_map(|(_, client)| client.has_just_ended().then_some(()));
        self.world.open.set(self.world.open.get() - done.count());
    }

    fn receive(&mut self, replies: Vec<(usize, Vec<u8>)>) {
        let mut history = self.world.history.borrow_mut();
        for (conn, bytes) in replies {
            let of_conn = |(number, _): &&mut (usize, Client)| *number == conn;
            let client = self.clients.iter_mut().find(of_conn);
            let (_, client) = client.expect("nobody else has sent anything");
            client.receive(&mut history, &bytes);
        }
    }
}

/// The thread of a shard, with its clients.
fn serve(
    world: &World,
    (number, mut shard): (usize, Shard),
    clients: Vec<Client>,
    mut rng: Rng,
) -> Shard {
    let bed = world.beds.of(number);
    let rests = rng.one_of(&[1, 10, 100]);
    let upkeep = rng.one_of(&[5, 50]);
    let conn = |client| (shard.connect(), client);
    let clients = clients.into_iter().map(conn).collect();
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
        shard.enter_kernel(|rings, sleeps| clients.enter(rings, sleeps, bed, &mut rng));
        let arrivals = std::mem::take(&mut clients.arrivals);
        world.history.borrow_mut().begin_turn(number);
        let replies = shard.turn(&arrivals, rng.one_in(4));
        world.history.borrow_mut().end_turn(number);
        clients.receive(replies);
        if rng.one_in(world.second_one_in) {
            shard.pass_time(1);
            world.history.borrow_mut().now += 1;
        }
        if rng.one_in(upkeep) {
            shard.keep_up();
        }
        for _ in 0..=rng.below(rests) {
            pause();
        }
    }
    shard
}

/// What the clients of a world do.
fn manner(rng: &mut Rng, unix_origin: i64, memory: Memory) -> Manner {
    let waits = rng.one_of(&[true, true, false]);
    let mix = match memory {
        Memory::Plenty => rng.one_of(&[Mix::Plain, Mix::Wide]),
        _ => Mix::Wide,
    };
    let values = match memory {
        Memory::Plenty if rng.one_in(4) => Values::SomeLarge,
        _ => Values::Small,
    };
    Manner {
        wire: Wire {
            values,
            texts: memory.keys(),
            unix_origin,
        },
        mix,
        memory,
        is_timed: mix == Mix::Wide && rng.one_in(2),
        waits,
        has_operators: mix == Mix::Wide && rng.one_in(2),
    }
}

/// Runs the world of a seed.
pub(crate) fn simulate(seed: u64) -> Ran {
    let mut rng = Rng::new(seed);
    let shards = rng.one_of(&[2, 2, 3, 4, 8, 16]);
    let each = rng.one_of(&[1, 2, 4]);
    // Shards without clients are woken by other shards only.
    let with_clients = rng.one_of(&[1, shards / 2, shards, shards]);
    let plenty = Memory::Plenty;
    let memory = rng.one_of(&[
        plenty,
        plenty,
        plenty,
        plenty,
        Memory::Little,
        Memory::Eight,
        Memory::Kept,
    ]);
    let mut served = simulated::start(memory.setup(shards));
    memory.fill(&mut served, &mut rng);
    let manner = manner(&mut rng, served[0].unix_origin(), memory);
    println!(
        "seed {seed}: {shards} shards, {each} connections to each of {with_clients}, {memory:?} memory, {:?}",
        manner.mix
    );
    let world = Rc::new(World {
        history: RefCell::new(History::new(served[0].now(), shards)),
        open: Cell::new(with_clients * each),
        beds: Beds::new(&mut rng, shards),
        second_one_in: if manner.is_timed { 30 } else { 200 },
    });
    let ended = Rc::new(RefCell::new(Vec::new()));
    let threads = served.into_iter().enumerate();
    let threads = threads.map(|(number, shard)| -> Thread {
        let (world, ended) = (Rc::clone(&world), Rc::clone(&ended));
        let each = if number < with_clients { each } else { 0 };
        let mut rng = Rng::new(rng.number());
        let clients = (0..each).map(|client| Client::new(number * each + client, manner, &mut rng));
        let clients = clients.collect();
        Box::new(move || {
            let shard = serve(&world, (number, shard), clients, rng);
            ended.borrow_mut().push(shard);
        })
    });
    let threads = threads.collect();
    let report = run(rng.number(), WORLD_STEPS_MAX, threads);
    let mut ran = Ran {
        steps: report.steps,
        trace: report.trace,
        woken: world.beds.woken(),
        ..Ran::default()
    };
    for shard in ended.borrow_mut().iter_mut() {
        shard.check_integrity();
        let (evictions, pages_moved) = shard.evictions_and_moves();
        ran.evictions += evictions;
        ran.pages_moved += pages_moved;
    }
    let keys = manner.wire.texts + COUNTERS;
    let history = world.history.borrow();
    (ran.answered, ran.searched) = history.check(keys, memory.rules(manner.wire.values));
    ran
}

//! A world of a seed: shards of some size, their keys, and the threads that serve them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use corecached_engine::{
    Budget, Deadline, Engine, EngineConfig, KeyHash, KeyHasher, Seconds, SharedReader, StoreMode,
};
use corecached_mesh::spsc::{self, Consumer, Producer};
use corecached_mesh::{Loanable, Owner, loanable};
use corecached_simulate::{Report, Rng, Thread, run};

use crate::core::{Core, Message, Op, Reply, Verb};
use crate::model::Model;
use crate::value;
use crate::worker::Worker;

/// Steps after which the threads of a world are told to stop.
const STEPS: u64 = 400_000;
/// Steps within which they have to stop: nothing waits for ever.
const STEPS_MAX: u64 = 40 * STEPS;
/// Operations of one thread for one shard that are under way.
pub(crate) const UNDER_WAY_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Vec<u8>,
    pub(crate) hash: KeyHash,
    pub(crate) shard: usize,
}

/// What has happened in some worlds. Each of these must happen, or the check has checked nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seldom {
    pub(crate) steps: u64,
    pub(crate) worlds: u64,
    pub(crate) read_hits: u64,
    pub(crate) read_misses: u64,
    pub(crate) asked: u64,
    /// Reads that began anew because something had changed.
    pub(crate) read_again: u64,
    pub(crate) loans: u64,
    pub(crate) refused_loans: u64,
    pub(crate) messages: u64,
    pub(crate) notes: u64,
    pub(crate) evictions: u64,
    pub(crate) pages_moved: u64,
    /// Changes of the power of two of an index.
    pub(crate) index_sizes: u64,
    pub(crate) flushes: u64,
}

/// What all threads of a world share.
pub(crate) struct World {
    pub(crate) shards: usize,
    /// Whether there is too little memory for all values.
    pub(crate) evicts: bool,
    pub(crate) keys: Vec<Key>,
    /// Largest lengths of values.
    pub(crate) lengths: &'static [usize],
    pub(crate) model: RefCell<Model>,
    pub(crate) now: Cell<u32>,
    pub(crate) lent: Vec<Arc<Loanable<Core>>>,
    pub(crate) readers: Vec<SharedReader>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) limit_bytes: u64,
    pub(crate) seldom: Cell<Seldom>,
}

impl World {
    pub(crate) fn counts(&self, count: impl FnOnce(&mut Seldom)) {
        let mut seldom = self.seldom.get();
        count(&mut seldom);
        self.seldom.set(seldom);
    }

    pub(crate) fn is_over(&self) -> bool {
        corecached_simulate::steps() >= STEPS
    }
}

/// The ends of a thread's queues to one shard.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) to: Producer<Message>,
    pub(crate) from: Consumer<Reply>,
}

/// The engines of a world, with all queues between them.
fn cores(shards: usize, page_bytes: usize, budget: &Arc<Budget>) -> (Vec<Core>, Vec<Vec<Link>>) {
    let config = EngineConfig {
        page_bytes,
        segment_bytes: 64 << 20,
        hasher: KeyHasher::new(42),
        ..EngineConfig::default()
    };
    let mut links: Vec<Vec<Link>> = (0..shards).map(|_| Vec::new()).collect();
    let cores = (0..shards).map(|shard| {
        let config = EngineConfig {
            cas_first: 1 + shard as u64,
            cas_step: shards as u64,
            ..config.clone()
        };
        let mut core = Core {
            shard,
            engine: Engine::new(config, Arc::clone(budget)).expect("there is address space"),
            inboxes: Vec::new(),
            replies: Vec::new(),
        };
        for links in &mut links {
            // Notes go with operations.
            let (to, inbox) = spsc::channel(2 * UNDER_WAY_MAX);
            let (replies, from) = spsc::channel(UNDER_WAY_MAX);
            core.inboxes.push(inbox);
            core.replies.push(replies);
            links.push(Link { to, from });
        }
        core
    });
    (cores.collect(), links)
}

fn keys(shards: usize, count: usize) -> Vec<Key> {
    let key = |number| {
        let name = value::key_bytes(number);
        let hash = KeyHasher::new(42).hash(&name);
        let shard = (((hash.0 >> 32) * shards as u64) >> 32) as usize;
        Key { name, hash, shard }
    };
    (0..count).map(key).collect()
}

/// Runs the world of a seed.
pub(crate) fn simulate(seed: u64) -> (Report, Seldom) {
    let mut rng = Rng::new(seed);
    let shards = rng.one_of(&[2, 2, 2, 3, 4, 6, 8, 16, 64]);
    let evicts = rng.one_in(2);
    let count = (shards * rng.one_of(&[40, 250, 600])).clamp(60, 3000);
    let lengths: &[usize] = match evicts {
        true => &[20, 100, 300, 3000, 20_000],
        false => &[20, 100, 300],
    };
    let limit_bytes = match evicts {
        true => (shards as u64 * (256 << 10)).max(count as u64 * 1200),
        false => 1 << 30,
    };
    let budget = Budget::new(limit_bytes);
    println!(
        "seed {seed}: {shards} shards, {count} keys, {} evictions",
        if evicts { "with" } else { "no" }
    );
    let (cores, links) = cores(shards, rng.one_of(&[4 << 10, 16 << 10]), &budget);
    let readers = cores
        .iter()
        .map(|core| core.engine.reader().expect("there is no file"));
    let readers = readers.collect();
    let (owners, lent): (Vec<_>, Vec<_>) = cores.into_iter().map(loanable).unzip();
    let world = Rc::new(World {
        shards,
        evicts,
        keys: keys(shards, count),
        lengths,
        model: RefCell::new(Model::new(count, shards, evicts)),
        now: Cell::new(2),
        lent,
        readers,
        budget,
        limit_bytes,
        seldom: Cell::default(),
    });
    fill(&world, &mut rng);
    let threads =
        owners
            .into_iter()
            .zip(links)
            .enumerate()
            .map(|(shard, (owner, links))| -> Thread {
                let (world, rng) = (Rc::clone(&world), Rng::new(rng.number()));
                Box::new(move || Worker::new(world, shard, links, rng).run(owner))
            });
    let threads = threads.collect();
    let report = run(rng.number(), STEPS_MAX, threads);
    finish(&world);
    world.counts(|seldom| {
        seldom.steps = report.steps;
        seldom.worlds = 1;
    });
    (report, world.seldom.get())
}

/// Every key has a value at the beginning, which somebody has fetched.
fn fill(world: &World, rng: &mut Rng) {
    for key in 0..world.keys.len() {
        let mut core = world.lent[world.keys[key].shard]
            .try_borrow()
            .expect("nobody has it");
        let most = rng.one_of(world.lengths);
        let verb = match value::is_number(key) {
            true => Verb::Count,
            false => Verb::Store(StoreMode::Set, rng.below(most), Deadline::NEVER),
        };
        for verb in [verb, Verb::Get] {
            core.execute(
                world,
                Op {
                    key,
                    verb,
                    number: 0,
                },
                Seconds(2),
            );
        }
    }
}

/// After the last step every shard is sound and has what it must have.
fn finish(world: &World) {
    let now = Seconds(world.now.get());
    for lent in &world.lent {
        let mut core = lent.try_borrow().expect("its thread has ended");
        core.check_all(world, now);
        core.engine.check_integrity();
        let stats = core.engine.stats();
        assert!(
            world.evicts || stats.evictions == 0,
            "there was memory for all"
        );
        world.counts(|seldom| {
            seldom.evictions += stats.evictions;
            seldom.pages_moved += stats.slabs_moved;
        });
    }
}

/// The owner of a shard's engine.
pub(crate) type CoreOwner = Owner<Core>;

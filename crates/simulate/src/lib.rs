//! Runs threads that share memory on one thread of the kernel, by turns that a seed decides: who runs, after which step
//! another goes on, who is slow, who stands still for long. The same seed gives the same run.
//!
//! ```text
//! thread 0   ##.....####.........#....       # runs: from one step (corecached_mesh::step) to another
//! thread 1   ..###......#####.....###
//! thread 2   .....#.............#....        slow
//! ```
//!
//! Threads are coroutines, so a change of threads costs some nanoseconds, and a million steps take less than a second.
//! All steps of all threads are in one order: what the reorderings of a memory model allow besides, loom checks
//! (`crates/mesh/tests/mesh`).
//!
//! Without the feature `simulate` the code of the shards has no steps, and this crate is empty.
#![cfg(feature = "simulate")]

mod chance;
mod rng;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use corecached_mesh::step::{self, Step};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use self::chance::{Chance, Pace};
pub use self::rng::Rng;

/// A simulated thread.
pub type Thread = Box<dyn FnOnce()>;

/// The way back from a thread to the scheduler.
type Way = Yielder<(), ()>;

thread_local! {
    /// Whether the running thread is to be interrupted, asked at each step.
    static CHANCES: RefCell<Option<Chances>> = const { RefCell::new(None) };
    static STEPS: Cell<u64> = const { Cell::new(0) };
    /// How the running thread gets back to the scheduler; null outside of threads.
    static WAY: Cell<*const Way> = const { Cell::new(ptr::null()) };
}

/// How many steps pass from one interruption to the next, by their kind.
#[derive(Debug)]
struct Chances {
    rng: Rng,
    protocol: Chance,
    word: Chance,
}

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Steps of all threads.
    pub steps: u64,
    /// How often another thread went on, or the same one again.
    pub turns: u64,
    /// A hash of who ran up to which step: two runs with the same are the same.
    pub trace: u64,
}

/// The number of steps since [`run`] began: the time of the simulation.
#[must_use]
pub fn steps() -> u64 {
    STEPS.get()
}

/// The running thread lets others go on.
pub fn pause() {
    on_step(Step::Wait);
}

fn on_step(step: Step) {
    // A thread that panics takes all others with it.
    if std::thread::panicking() || WAY.get().is_null() {
        return;
    }
    STEPS.set(STEPS.get() + 1);
    let is_over = CHANCES.with_borrow_mut(|chances| {
        let chances = chances.as_mut().expect("a thread runs");
        match step {
            Step::Protocol => chances.protocol.passes(&mut chances.rng),
            Step::Word => chances.word.passes(&mut chances.rng),
            Step::Wait => true,
        }
    });
    if is_over {
        let way = WAY.get();
        // SAFETY: it is that of the coroutine that runs: its first action sets it, and so does the end of each
        // `suspend` below. A coroutine has its yielder for as long as it runs.
        unsafe { (*way).suspend(()) };
        WAY.set(way);
    }
}

/// Runs the threads until all have ended.
///
/// # Panics
///
/// If a thread panics, with its message; and if they have not ended after `steps_max` steps: then some of them wait for
/// each other.
pub fn run(seed: u64, steps_max: u64, threads: Vec<Thread>) -> Report {
    let mut rng = Rng::new(seed);
    let mut pace = Pace::new(&mut rng, threads.len());
    CHANCES.set(Some(Chances {
        protocol: Chance::one_in(rng.one_of(&[1, 2, 5, 20, 100])),
        word: Chance::one_in(rng.one_of(&[3, 20, 100, 1000, 10_000])),
        rng: Rng::new(rng.number()),
    }));
    STEPS.set(0);
    let mut threads: Vec<_> = threads.into_iter().map(coroutine).collect();
    step::install(Some(on_step));
    let mut report = Report {
        steps: 0,
        turns: 0,
        trace: 0,
    };
    while let Some(next) = pace.next(&mut rng) {
        let turn = catch_unwind(AssertUnwindSafe(|| threads[next].resume(())));
        WAY.set(ptr::null());
        match turn {
            Ok(CoroutineResult::Yield(())) => pace.rests(&mut rng, next),
            Ok(CoroutineResult::Return(())) => pace.ends(next),
            Err(panic) => {
                forget(threads);
                resume_unwind(panic);
            }
        }
        if STEPS.get() > steps_max {
            forget(threads);
            panic!("the threads do not come to an end");
        }
        report.turns += 1;
        let mixed =
            (report.trace ^ STEPS.get() << 8 ^ next as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        report.trace = mixed ^ mixed >> 32;
    }
    step::install(None);
    report.steps = STEPS.get();
    report
}

/// What the threads hold is of no use any more, and they are not to be run again, not even to end.
fn forget(threads: Vec<Coroutine<(), (), ()>>) {
    step::install(None);
    threads.into_iter().for_each(std::mem::forget);
}

fn coroutine(thread: Thread) -> Coroutine<(), (), ()> {
    Coroutine::new(move |way: &Way, ()| {
        WAY.set(way);
        thread();
    })
}

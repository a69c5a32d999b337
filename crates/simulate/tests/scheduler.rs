//! The scheduler of simulated threads itself: seeds, threads that wait for ever, panics.

use std::cell::Cell;
use std::rc::Rc;

use corecached_mesh::step;
use corecached_simulate::{Report, Thread, pause, run, steps};

/// A load and a store with a step between them: each of two threads may lose what the other has added.
fn count(seed: u64) -> (u32, Report) {
    let number = Rc::new(Cell::new(0));
    let thread = || -> Thread {
        let number = Rc::clone(&number);
        Box::new(move || {
            for _ in 0..10 {
                let before = number.get();
                step::point();
                number.set(before + 1);
            }
        })
    };
    let report = run(seed, 1000, vec![thread(), thread()]);
    (number.get(), report)
}

#[test]
fn a_seed_is_a_run_and_others_are_others() {
    let runs: Vec<_> = (0..50).map(count).collect();
    assert!(runs.iter().any(|run| run.0 < 20), "nothing was interrupted");
    assert!(runs.iter().any(|run| run.0 == 20), "all was interrupted");
    assert_eq!(runs, (0..50).map(count).collect::<Vec<_>>());
    assert_ne!(runs[0].1.trace, runs[1].1.trace);
}

#[test]
#[should_panic(expected = "do not come to an end")]
fn threads_that_wait_for_ever_are_found() {
    let waiter = || -> Thread {
        Box::new(|| {
            while steps() < u64::MAX {
                pause();
            }
        })
    };
    run(1, 10_000, vec![waiter(), waiter()]);
}

#[test]
#[should_panic(expected = "this one")]
fn a_panic_of_a_thread_is_that_of_the_run() {
    let other: Thread = Box::new(|| (0..100).for_each(|_| pause()));
    let one: Thread = Box::new(|| {
        pause();
        panic!("this one");
    });
    run(1, 10_000, vec![other, one]);
}

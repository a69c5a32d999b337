//! Real threads on real cores, for a fraction of a second each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use corecached_mesh::{Bell, loanable, spsc};

/// A value that breaks when two threads are in it: the parts are written apart and must agree.
#[derive(Default)]
struct Twin {
    left: u64,
    right: u64,
}

impl Twin {
    fn step(&mut self) {
        assert_eq!(self.left, self.right, "two threads in one value");
        self.left += 1;
        std::hint::spin_loop();
        self.right += 1;
    }
}

#[test]
fn owner_and_borrowers_count_every_turn() {
    const OWNER_TURNS: u64 = 100_000;
    const BORROWERS: usize = 3;
    let (mut owner, shared) = loanable(Twin::default());
    let done = Arc::new(AtomicBool::new(false));
    let borrowers: Vec<_> = (0..BORROWERS)
        .map(|_| {
            let (shared, done) = (Arc::clone(&shared), Arc::clone(&done));
            thread::spawn(move || {
                let mut loans = 0;
                while !done.load(Ordering::Relaxed) {
                    match shared.try_borrow() {
                        Some(mut loan) => {
                            loan.step();
                            loans += 1;
                        }
                        None => std::hint::spin_loop(),
                    }
                }
                loans
            })
        })
        .collect();
    for _ in 0..OWNER_TURNS {
        owner.resume().step();
    }
    done.store(true, Ordering::Relaxed);
    let loans: u64 = borrowers
        .into_iter()
        .map(|borrower| borrower.join().unwrap())
        .sum();
    assert_eq!(owner.resume().left, OWNER_TURNS + loans);
    assert!(
        shared.try_borrow().is_some(),
        "the word is parked at the end"
    );
}

#[test]
fn states_exclude_each_other() {
    let (mut owner, shared) = loanable(0);
    let turn = owner.resume();
    assert!(shared.try_borrow().is_none());
    drop(turn);
    let loan = shared.try_borrow().expect("parked");
    assert!(!loan.is_wanted());
    assert!(shared.try_borrow().is_none());
    drop(loan);
    assert!(owner.shared().try_borrow().is_some());
}

#[test]
fn an_owner_that_waits_is_seen_and_served_first() {
    let (mut owner, shared) = loanable(0_u32);
    let loan = shared.try_borrow().expect("parked");
    let (done, turns) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let thread = {
        let (done, turns) = (Arc::clone(&done), Arc::clone(&turns));
        thread::spawn(move || {
            let turn = owner.resume();
            turns.store(1, Ordering::Relaxed);
            while !done.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            drop(turn);
        })
    };
    let patience = Instant::now() + Duration::from_secs(10);
    while !loan.is_wanted() {
        assert!(
            Instant::now() < patience,
            "the owner never asked for its value"
        );
        thread::yield_now();
    }
    assert_eq!(turns.load(Ordering::Relaxed), 0);
    drop(loan);
    assert!(
        shared.try_borrow().is_none(),
        "the owner's turn comes first, or runs"
    );
    done.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert_eq!(turns.load(Ordering::Relaxed), 1);
}

#[test]
fn a_leaked_turn_does_not_lock_the_owner_out() {
    let (mut owner, shared) = loanable(7);
    std::mem::forget(owner.resume());
    assert!(shared.try_borrow().is_none());
    assert_eq!(*owner.resume(), 7);
    assert!(shared.try_borrow().is_some());
}

#[test]
fn a_panic_in_a_turn_ends_it() {
    let (mut owner, shared) = loanable(7);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _turn = owner.resume();
        panic!("in a turn");
    }));
    assert!(result.is_err());
    assert!(shared.try_borrow().is_some());
}

#[test]
fn a_queue_delivers_everything_in_order() {
    const ITEMS: u64 = 500_000;
    let (mut producer, mut consumer) = spsc::channel(64);
    let sender = thread::spawn(move || {
        for item in 0..ITEMS {
            let mut item = Err(item);
            while let Err(back) = item {
                item = producer.push(back);
                if item.is_err() {
                    thread::yield_now();
                }
            }
        }
        producer
    });
    for expected in 0..ITEMS {
        let item = loop {
            if let Some(item) = consumer.pop() {
                break item;
            }
            thread::yield_now();
        };
        assert_eq!(item, expected);
    }
    assert!(sender.join().unwrap().is_empty() && consumer.is_empty());
}

#[test]
fn a_full_queue_gives_the_item_back() {
    let (mut producer, mut consumer) = spsc::channel(3);
    assert_eq!((producer.capacity(), consumer.capacity()), (4, 4));
    for item in 0..4 {
        producer.push(item).unwrap();
    }
    assert_eq!(producer.push(4), Err(4));
    assert_eq!(consumer.pop(), Some(0));
    producer.push(4).unwrap();
    assert_eq!(
        std::iter::from_fn(|| consumer.pop()).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert!(producer.is_empty() && consumer.is_empty());
}

#[test]
fn a_dropped_queue_drops_what_is_in_it() {
    let witness = Arc::new(());
    let (mut producer, mut consumer) = spsc::channel(4);
    for _ in 0..3 {
        producer.push(Arc::clone(&witness)).unwrap();
    }
    drop(consumer.pop());
    drop(producer);
    assert_eq!(Arc::strong_count(&witness), 3);
    drop(consumer);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn sleepers_are_always_woken() {
    const ITEMS: u32 = 50_000;
    const SENDERS: u32 = 2;
    let bell = Arc::new(Bell::new());
    let reader = thread::current();
    let mut inboxes = Vec::new();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (mut producer, consumer) = spsc::channel(8);
            inboxes.push(consumer);
            let (bell, reader) = (Arc::clone(&bell), reader.clone());
            thread::spawn(move || {
                for item in 0..ITEMS {
                    while producer.push(item).is_err() {
                        thread::yield_now();
                    }
                    if bell.needs_ring() {
                        reader.unpark();
                    }
                }
            })
        })
        .collect();
    let mut left = ITEMS * SENDERS;
    while left > 0 {
        let popped = inboxes.iter_mut().filter_map(spsc::Consumer::pop).count();
        left -= u32::try_from(popped).unwrap();
        if popped > 0 {
            continue;
        }
        bell.announce_sleep();
        if inboxes.iter().all(spsc::Consumer::is_empty) {
            let slept = Instant::now();
            thread::park_timeout(Duration::from_secs(20));
            assert!(slept.elapsed() < Duration::from_secs(20), "nobody rang");
        }
        bell.awake();
    }
    for sender in senders {
        sender.join().unwrap();
    }
}

//! No lost wake-up: a reader that sleeps is rung for every item that was pushed. If it were not, loom would find the
//! interleaving in which the reader waits for ever, and would report a deadlock.

use corecached_mesh::{Bell, spsc};
use loom::model::Builder;
use loom::sync::{Arc, Notify};
use loom::thread;

struct Doorstep {
    bell: Bell,
    /// Stands for the ring of the sleeping reader: it keeps a notification that came before the wait, as a ring does.
    ring: Notify,
}

fn doorstep() -> Arc<Doorstep> {
    Arc::new(Doorstep {
        bell: Bell::new(),
        ring: Notify::new(),
    })
}

/// Pushes, then rings if the bell says so. Returns how often the sender rang.
fn send(door: &Doorstep, producer: &mut spsc::Producer<u32>, item: u32) -> u32 {
    producer
        .push(item)
        .expect("the queue holds all items of the model");
    if door.bell.needs_ring() {
        door.ring.notify();
        return 1;
    }
    0
}

/// Reads until `count` items came, sleeping when there are none. Returns how often the reader slept.
fn read(door: &Doorstep, consumers: &mut [spsc::Consumer<u32>], count: usize) -> u32 {
    let mut seen = 0;
    let mut sleeps = 0;
    while seen < count {
        let popped = consumers.iter_mut().filter_map(spsc::Consumer::pop).count();
        seen += popped;
        if popped > 0 {
            continue;
        }
        door.bell.announce_sleep();
        if consumers.iter().all(spsc::Consumer::is_empty) {
            door.ring.wait();
            sleeps += 1;
        }
        door.bell.awake();
    }
    sleeps
}

#[test]
fn what_was_pushed_wakes_the_sleeper() {
    // All interleavings with up to 4 forced switches; without the bound it takes half a minute and finds no more.
    let mut model = Builder::new();
    model.preemption_bound = Some(4);
    model.check(|| {
        let door = doorstep();
        let (mut producer, consumer) = spsc::channel(2);
        let sender = {
            let door = Arc::clone(&door);
            thread::spawn(move || send(&door, &mut producer, 1) + send(&door, &mut producer, 2))
        };
        read(&door, &mut [consumer], 2);
        sender.join().unwrap();
    });
}

#[test]
fn two_senders_wake_the_sleeper() {
    let mut model = Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let door = doorstep();
        let mut consumers = Vec::new();
        let senders: Vec<_> = (0..2)
            .map(|item| {
                let (mut producer, consumer) = spsc::channel(1);
                consumers.push(consumer);
                let door = Arc::clone(&door);
                thread::spawn(move || send(&door, &mut producer, item))
            })
            .collect();
        read(&door, &mut consumers, 2);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn one_sleep_is_rung_at_most_once() {
    loom::model(|| {
        let bell = Arc::new(Bell::new());
        bell.announce_sleep();
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let bell = Arc::clone(&bell);
                thread::spawn(move || u32::from(bell.needs_ring()))
            })
            .collect();
        let rings: u32 = senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .sum();
        assert_eq!(rings, 1);
    });
}

/// The inbox lies inside a value that can be lent, as in the server: a borrower may empty it while the owner sleeps,
/// and a sender that failed to borrow must still reach the owner.
#[test]
fn a_failed_loan_and_a_push_reach_the_owner() {
    let mut model = Builder::new();
    model.preemption_bound = Some(4);
    model.check(|| {
        let door = doorstep();
        let (mut producer, consumer) = spsc::channel(1);
        let (mut owner, shared) = corecached_mesh::loanable((consumer, 0_u32));
        let sender = {
            let door = Arc::clone(&door);
            thread::spawn(move || match shared.try_borrow() {
                Some(mut loan) => {
                    loan.1 += 1;
                    drop(loan);
                    // Only the model needs this ring, since it ends when the owner has seen the work: in the server
                    // nobody waits.
                    if door.bell.needs_ring() {
                        door.ring.notify();
                    }
                }
                None => {
                    send(&door, &mut producer, 1);
                }
            })
        };
        loop {
            let mut turn = owner.resume();
            if turn.0.pop().is_some() {
                turn.1 += 1;
            }
            if turn.1 == 1 {
                break;
            }
            door.bell.announce_sleep();
            let sleeps = turn.0.is_empty();
            drop(turn);
            if sleeps && owner.resume().1 == 0 {
                door.ring.wait();
            }
            door.bell.awake();
        }
        sender.join().unwrap();
    });
}

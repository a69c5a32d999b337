//! A reader that looks at its queues only when it is told to misses nothing that was pushed. If it did, loom would find
//! the interleaving in which it waits for ever, and would report a deadlock.

use corecached_mesh::{Doorstep, spsc};
use loom::model::Builder;
use loom::sync::{Arc, Notify};
use loom::thread;

struct Home {
    door: Doorstep,
    /// Stands for the ring of the sleeping reader: it keeps a notification that came before the wait, as a ring does.
    ring: Notify,
}

fn send(home: &Home, producer: &mut spsc::Producer<u32>) {
    producer.push(1).expect("the queue holds what is sent");
    if home.door.notify() {
        home.ring.notify();
    }
}

/// As the server's shards do it: one look at the queues after each call of `awake`. A reader that parks sleeps once
/// more before it looks.
fn read(home: &Home, consumers: &mut [spsc::Consumer<u32>], count: usize, parks: bool) {
    let mut seen = 0;
    loop {
        home.door.awake();
        seen += consumers.iter_mut().filter_map(spsc::Consumer::pop).count();
        if seen == count {
            return;
        }
        if parks && home.door.try_sleep() {
            home.ring.wait();
            home.door.end_sleep();
        }
        if home.door.try_sleep() {
            home.ring.wait();
        }
    }
}

fn check(senders: usize, preemptions: usize, parks: bool) {
    let mut model = Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        let home = Arc::new(Home {
            door: Doorstep::new(),
            ring: Notify::new(),
        });
        let mut consumers = Vec::new();
        let senders: Vec<_> = (0..senders)
            .map(|_| {
                let (mut producer, consumer) = spsc::channel(1);
                consumers.push(consumer);
                let home = Arc::clone(&home);
                thread::spawn(move || send(&home, &mut producer))
            })
            .collect();
        let count = senders.len();
        read(&home, &mut consumers, count, parks);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn what_was_pushed_is_seen() {
    check(1, 5, false);
}

/// The reader takes the flag once for both: it has to see both pushes.
#[test]
fn what_two_have_pushed_is_seen() {
    check(2, 3, false);
}

#[test]
fn what_was_pushed_is_seen_although_the_reader_sleeps_twice_before_it_looks() {
    check(1, 5, true);
    check(2, 2, true);
}

//! The queue: in order, nothing lost, nothing twice, the rest dropped. Loom's cell checks that no slot is read and
//! written at once, and its `Arc` that every item is dropped.

use corecached_mesh::spsc;
use loom::sync::Arc;
use loom::thread;

#[test]
fn items_arrive_in_order_through_a_ring_that_wraps() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc::channel(2);
        let sender = thread::spawn(move || {
            let mut accepted = Vec::new();
            for item in 1..=3 {
                if producer.push(item).is_ok() {
                    accepted.push(item);
                }
            }
            accepted
        });
        let mut popped: Vec<u32> = (0..2).filter_map(|_| consumer.pop()).collect();
        let accepted = sender.join().unwrap();
        popped.extend(std::iter::from_fn(|| consumer.pop()));
        assert_eq!(popped, accepted);
        assert!(accepted.starts_with(&[1, 2]));
    });
}

#[test]
fn a_ring_of_one_slot_hands_it_over_and_back() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc::channel(1);
        let sender = thread::spawn(move || {
            for item in 1..=2_u32 {
                let mut item = Err(item);
                while let Err(back) = item {
                    item = producer.push(back);
                    if item.is_err() {
                        thread::yield_now();
                    }
                }
            }
        });
        for expected in 1..=2 {
            let item = loop {
                if let Some(item) = consumer.pop() {
                    break item;
                }
                thread::yield_now();
            };
            assert_eq!(item, expected);
        }
        sender.join().unwrap();
        assert!(consumer.is_empty());
    });
}

#[test]
fn emptiness_seen_by_the_producer_means_all_was_popped() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc::channel(2);
        producer.push(1).unwrap();
        let reader = thread::spawn(move || {
            let popped = consumer.pop();
            (popped, consumer)
        });
        let empty = producer.is_empty();
        let (popped, consumer) = reader.join().unwrap();
        assert_eq!(popped, Some(1));
        assert!(producer.is_empty() && consumer.is_empty());
        let _ = empty; // Either answer is right while the reader runs; loom checks the accesses.
    });
}

#[test]
fn what_is_left_is_dropped_by_whoever_goes_last() {
    loom::model(|| {
        let witness = Arc::new(());
        let (mut producer, mut consumer) = spsc::channel(2);
        let sender = {
            let witness = Arc::clone(&witness);
            thread::spawn(move || {
                for _ in 0..2 {
                    producer.push(Arc::clone(&witness)).unwrap();
                }
            })
        };
        drop(consumer.pop());
        drop(consumer);
        sender.join().unwrap();
        assert_eq!(Arc::strong_count(&witness), 1);
    });
}

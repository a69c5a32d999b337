//! The sequence: no reader accepts words that are not of one time, even from memory that was used for something else
//! meanwhile.

use corecached_mesh::Sequence;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

/// Two chunks of two words, and the slot that says which of them is the item. The words of an item are equal, and even.
/// A chunk that is not the item holds anything.
struct Shard {
    sequence: Sequence,
    slot: AtomicU64,
    chunks: [[AtomicU64; 2]; 2],
}

impl Shard {
    fn new() -> Self {
        let chunk = || [AtomicU64::new(2), AtomicU64::new(2)];
        Self {
            sequence: Sequence::new(),
            slot: AtomicU64::new(0),
            chunks: [chunk(), chunk()],
        }
    }

    /// Writes as the engine does: with releases.
    fn write(&self, chunk: usize, words: [u64; 2]) {
        for (word, value) in self.chunks[chunk].iter().zip(words) {
            word.store(value, Ordering::Release);
        }
    }

    fn change(&self, change: impl FnOnce()) {
        assert!(self.sequence.begin_change());
        change();
        self.sequence.end_change();
    }

    /// The value of the item; `None` if the reader cannot tell it.
    fn read(&self) -> Option<u64> {
        let begun = self.sequence.begin()?;
        let chunk = self.slot.load(Ordering::Relaxed) as usize;
        let words = [0, 1].map(|at| self.chunks[chunk][at].load(Ordering::Relaxed));
        if !self.sequence.is_same(begun) {
            return None;
        }
        assert_eq!(words[0], words[1], "a torn item");
        assert_eq!(words[0] % 2, 0, "something else than an item");
        Some(words[0])
    }
}

#[test]
fn an_item_that_is_changed_in_place_is_not_torn() {
    loom::model(|| {
        let shard = Arc::new(Shard::new());
        let reader = {
            let shard = Arc::clone(&shard);
            thread::spawn(move || shard.read())
        };
        shard.change(|| shard.write(0, [4, 4]));
        shard.change(|| shard.write(0, [6, 6]));
        let read = reader.join().unwrap();
        assert!(read.is_none_or(|read| (2..=6).contains(&read)));
        assert_eq!(shard.read(), Some(6));
    });
}

#[test]
fn memory_that_is_used_again_is_not_taken_for_the_item() {
    loom::model(|| {
        let shard = Arc::new(Shard::new());
        let reader = {
            let shard = Arc::clone(&shard);
            thread::spawn(move || shard.read())
        };
        // Its successor is written before, outside of any change.
        shard.write(1, [4, 4]);
        shard.change(|| shard.slot.store(1, Ordering::Release));
        // The old item's memory is used for something else now, which is no change of the new item.
        shard.write(0, [1, 3]);
        reader.join().unwrap();
        assert_eq!(shard.read(), Some(4));
    });
}

#[test]
fn another_thread_may_use_the_memory_again() {
    loom::model(|| {
        let shard = Arc::new(Shard::new());
        let reader = {
            let shard = Arc::clone(&shard);
            thread::spawn(move || shard.read())
        };
        shard.change(|| shard.slot.store(1, Ordering::Release));
        // A loan: what the owner did has happened before, but the borrower has passed no fence of the sequence.
        let borrower = {
            let shard = Arc::clone(&shard);
            thread::spawn(move || shard.write(0, [1, 3]))
        };
        reader.join().unwrap();
        borrower.join().unwrap();
    });
}

#[test]
fn what_was_acknowledged_is_seen() {
    loom::model(|| {
        let shard = Arc::new(Shard::new());
        let reply = Arc::new(AtomicU64::new(0));
        let reader = {
            let (shard, reply) = (Arc::clone(&shard), Arc::clone(&reply));
            thread::spawn(move || {
                let acknowledged = reply.load(Ordering::Acquire) == 1;
                (acknowledged, shard.read())
            })
        };
        shard.change(|| shard.write(0, [4, 4]));
        reply.store(1, Ordering::Release);
        let (acknowledged, read) = reader.join().unwrap();
        assert!(!acknowledged || read == Some(4), "{read:?}");
    });
}

#[test]
fn a_change_inside_a_change_is_a_part_of_it() {
    loom::model(|| {
        let sequence = Sequence::new();
        let begun = sequence.begin().unwrap();
        assert!(sequence.begin_change() && !sequence.begin_change());
        assert!(sequence.begin().is_none() && !sequence.is_same(begun));
        sequence.end_change();
        assert!(sequence.begin().is_some_and(|now| now != begun));
    });
}

//! A bounded queue from one thread to one other thread: a ring of slots and two counters that only ever grow.
//!
//! ```text
//!        head: next to read, written by the Consumer       tail: next to write, written by the Producer
//!                 v                                                 v
//!        ... free | item | item | item | item | item | item | item | free | free ...     slot = counter & mask
//!                 '------------- tail - head <= capacity ----------'
//! ```
//!
//! Each counter lies on cache lines of its own, and each side remembers the last value that it saw of the other side's
//! counter (`head_seen`, `tail_seen`): it reads the other core's cache line only when the ring looks full, or empty. So
//! a burst costs one such cache miss, not one per item. After `channel` there is no system call, no waiting and no
//! allocation.

use std::mem::MaybeUninit;

use crate::pad::Padded;
use crate::step;
use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

/// Makes a queue of at least `capacity` items, rounded up to a power of two (and to 1).
///
/// ```
/// let (mut producer, mut consumer) = corecached_mesh::spsc::channel(2);
/// assert_eq!(producer.push('a'), Ok(()));
/// assert_eq!(producer.push('b'), Ok(()));
/// assert_eq!(producer.push('c'), Err('c')); // full: the item comes back
/// assert_eq!(consumer.pop(), Some('a'));
/// ```
///
/// # Panics
/// Panics if `capacity` slots need more bytes than the address space has.
pub fn channel<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let slots = capacity.max(1).next_power_of_two();
    let ring = Arc::new(Ring {
        head: Padded(AtomicUsize::new(0)),
        tail: Padded(AtomicUsize::new(0)),
        slots: (0..slots)
            .map(|_| UnsafeCell::new(MaybeUninit::uninit()))
            .collect(),
    });
    let producer = Producer {
        ring: Arc::clone(&ring),
        tail: 0,
        head_seen: 0,
    };
    let consumer = Consumer {
        ring,
        head: 0,
        tail_seen: 0,
    };
    (producer, consumer)
}

#[derive(Debug)]
struct Ring<T> {
    /// How many items were popped. Slots of counters below it are free.
    head: Padded<AtomicUsize>,
    /// How many items were pushed. Slots of counters in `head..tail` hold an item.
    tail: Padded<AtomicUsize>,
    /// The slots; their number is a power of two.
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a slot is touched by the Producer only while its counter is outside `head..tail` and by the Consumer only
// while it is inside; both move that border by a releasing store that the other side reads with acquire, so no two
// accesses to a slot are concurrent. Items move from one thread to another, which is `T: Send`.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    fn slot(&self, counter: usize) -> &UnsafeCell<MaybeUninit<T>> {
        // The length is a power of two, so counters may wrap around at usize::MAX without a seam.
        &self.slots[counter & (self.slots.len() - 1)]
    }

    /// Moves the item out of a slot.
    ///
    /// # Safety
    /// The slot of `counter` holds an item, which nobody else accesses, and which nobody will read after this.
    unsafe fn take(&self, counter: usize) -> T {
        self.slot(counter).with_mut(|slot| {
            // SAFETY: initialised, exclusive and read once, as the caller promises; aligned and valid by being in the
            // slice.
            unsafe { (*slot).assume_init_read() }
        })
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Relaxed);
        while head != tail {
            // SAFETY: counters in head..tail hold items; `&mut self` says that both sides are gone (the Arc orders
            // their last accesses before this), and each counter is visited once.
            drop(unsafe { self.take(head) });
            head = head.wrapping_add(1);
        }
    }
}

/// The sending side.
#[derive(Debug)]
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// Our own counter; the shared one follows it.
    tail: usize,
    /// The last value seen of the other side's counter: never ahead of it.
    head_seen: usize,
}

impl<T: Send> Producer<T> {
    /// Appends an item, or gives it back when the queue is full.
    ///
    /// # Errors
    /// Returns the item if there is no free slot. The consumer may free one at any moment.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        // SAFETY: tail - head_seen < slots and head_seen <= head, so this counter lies outside head..tail: its slot is
        // free and the Consumer keeps off it until the store below. The acquiring load that read head_seen ordered the
        // Consumer's reading of the slot's last item before this. The pointer is valid by being in the slice.
        self.ring.slot(self.tail).with_mut(|slot| unsafe {
            (*slot).write(item);
        });
        self.tail = self.tail.wrapping_add(1);
        step::point();
        self.ring.tail.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T> Producer<T> {
    fn is_full(&mut self) -> bool {
        let slots = self.ring.slots.len();
        if self.tail.wrapping_sub(self.head_seen) < slots {
            return false;
        }
        step::point();
        self.head_seen = self.ring.head.load(Ordering::Acquire);
        self.tail.wrapping_sub(self.head_seen) == slots
    }

    /// Whether everything that was pushed has been popped. True stays true until the next push.
    pub fn is_empty(&self) -> bool {
        step::point();
        self.ring.head.load(Ordering::Acquire) == self.tail
    }

    /// How many items the queue can hold.
    pub fn capacity(&self) -> usize {
        self.ring.slots.len()
    }
}

/// The receiving side.
#[derive(Debug)]
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// Our own counter; the shared one follows it.
    head: usize,
    /// The last value seen of the other side's counter: never ahead of it.
    tail_seen: usize,
}

impl<T: Send> Consumer<T> {
    /// The oldest item, if there is one.
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            step::point();
            self.tail_seen = self.ring.tail.load(Ordering::Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        // SAFETY: head < tail_seen <= tail, so the slot holds an item; the acquiring load that read tail_seen ordered
        // its writing before this. The Producer keeps off the slot until the store below, and head moves past it.
        let item = unsafe { self.ring.take(self.head) };
        self.head = self.head.wrapping_add(1);
        step::point();
        self.ring.head.store(self.head, Ordering::Release);
        Some(item)
    }
}

impl<T> Consumer<T> {
    /// Whether there is nothing to pop now. False stays false until the next pop.
    pub fn is_empty(&self) -> bool {
        step::point();
        self.head == self.tail_seen && self.ring.tail.load(Ordering::Acquire) == self.head
    }

    /// How many items the queue can hold.
    pub fn capacity(&self) -> usize {
        self.ring.slots.len()
    }
}

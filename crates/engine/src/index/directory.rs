//! The directory of a table, which other threads read while it changes: leaves by number, and what tells that they change.
//!
//! ```text
//! memory      | leaf 0 | leaf 1 | ... | leaf 63 | leaf 64 ...          address space for all that there can ever be:
//!             +------------- block -------------+                      nothing moves, and nothing is freed under a reader
//! sequences   one of 1024 for each leaf, by its number
//! shape       | changes of the number of leaves | leaves |
//! ```
//!
//! Whoever changes a leaf, its buckets, or a field of an item in it that readers look at, does so between
//! [`Directory::begin_change`] and [`Directory::end_change`]. A block that is given back reads as zero, which is an empty leaf.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecached_mesh::{Begun, Sequence};

use super::leaf::{LEAF_BYTES, LEAF_WORDS, Leaf};
use super::table::{BLOCK_BYTES, BLOCK_LEAVES, LEAVES_MAX};
use crate::segment::{Segment, View};

/// Sequences of a table.
const SEQUENCES: usize = 1024;
/// Bytes of a segment for each byte of directory that it can come to need: an item takes 16 bytes at least, and a leaf is split
/// at 210 items.
const SEGMENT_BYTES_PER_BYTE: usize = 16 * 210 / LEAF_BYTES;
const LEAVES_BITS: u32 = 32;

const _: () = assert!(LEAVES_MAX < 1 << LEAVES_BITS);

/// What readers find besides leaves.
#[derive(Debug)]
struct Shown {
    /// The number of leaves in the low bits, and how often it has changed: a reader that finds the same as before has
    /// read all of it with that number.
    shape: AtomicU64,
    sequences: Box<[Sequence]>,
}

/// The leaves of a table and their sequences, in address space of their own that never moves.
#[derive(Debug)]
pub(super) struct Directory {
    memory: Segment,
    leaves_max: usize,
    shown: Arc<Shown>,
}

/// A change that is under way; nothing if it is a part of another one.
#[derive(Debug)]
#[must_use = "readers wait for the end of a change"]
pub(crate) struct Change(Option<usize>);

impl Directory {
    /// One empty leaf, for a segment of so many bytes.
    ///
    /// # Errors
    ///
    /// The address space cannot be mapped.
    pub(super) fn new(segment_bytes: usize) -> io::Result<Self> {
        let blocks = segment_bytes / SEGMENT_BYTES_PER_BYTE / BLOCK_BYTES as usize + 1;
        Ok(Self {
            memory: Segment::new(blocks * BLOCK_BYTES as usize, false, None)?,
            leaves_max: (blocks * BLOCK_LEAVES).min(LEAVES_MAX),
            shown: Arc::new(Shown {
                shape: AtomicU64::new(1),
                sequences: (0..SEQUENCES).map(|_| Sequence::new()).collect(),
            }),
        })
    }

    /// Leaves that there is room for.
    pub(super) fn leaves_max(&self) -> usize {
        self.leaves_max
    }

    /// A leaf.
    #[inline]
    pub(super) fn leaf(&self, leaf: usize) -> &Leaf {
        self.memory.record(leaf * LEAF_BYTES)
    }

    /// Asks the processor for a leaf.
    #[inline]
    pub(super) fn prefetch(&self, leaf: usize) {
        self.memory.prefetch(leaf * LEAF_BYTES);
    }

    /// Changes a leaf.
    #[inline]
    pub(super) fn change<R>(&mut self, leaf: usize, change: impl FnOnce(&mut Leaf) -> R) -> R {
        let mut changed = *self.leaf(leaf);
        let before = changed.words();
        let result = change(&mut changed);
        for (index, (after, before)) in changed.words().into_iter().zip(before).enumerate() {
            if after != before {
                self.memory.store(leaf * LEAF_BYTES + 8 * index, after);
            }
        }
        result
    }

    /// A leaf is about to change, or what it refers to.
    #[inline]
    pub(super) fn begin_change(&self, leaf: usize) -> Change {
        let sequence = leaf % SEQUENCES;
        Change((self.shown.sequences[sequence].begin_change()).then_some(sequence))
    }

    /// It has changed.
    #[inline]
    pub(super) fn end_change(&self, change: Change) {
        if let Some(sequence) = change.0 {
            self.shown.sequences[sequence].end_change();
        }
    }

    /// Several have changed together.
    pub(super) fn end_changes(&self, changes: [Change; 2]) {
        for change in changes {
            self.end_change(change);
        }
    }

    /// There are so many leaves. Those that came or went, and those that they were split from, are being changed.
    pub(super) fn publish(&mut self, leaves: usize) {
        let changes = self.shown.shape.load(Ordering::Relaxed) >> LEAVES_BITS;
        let shape = (changes + 1) << LEAVES_BITS | leaves as u64;
        self.shown.shape.store(shape, Ordering::Release);
    }

    /// Gives the memory of a block back, whose leaves are empty.
    pub(super) fn forget_block(&mut self, block: usize) {
        let bytes = BLOCK_BYTES as usize;
        self.memory.discard(block * bytes, bytes);
    }

    /// The directory for readers on other threads.
    pub(super) fn view(&self) -> DirectoryView {
        DirectoryView {
            memory: self.memory.view(),
            shown: Arc::clone(&self.shown),
        }
    }
}

/// The directory as other threads see it.
#[derive(Clone, Debug)]
pub(super) struct DirectoryView {
    memory: View,
    shown: Arc<Shown>,
}

/// What a reader has begun with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    shape: u64,
    sequence: usize,
    begun: Begun,
}

impl DirectoryView {
    /// Number of leaves.
    #[inline]
    pub(super) fn leaves(&self) -> usize {
        (self.shape() & ((1 << LEAVES_BITS) - 1)) as usize
    }

    #[inline]
    fn shape(&self) -> u64 {
        self.shown.shape.load(Ordering::Relaxed)
    }

    /// Asks the processor for a leaf.
    #[inline]
    pub(super) fn prefetch(&self, leaf: usize) {
        self.memory.prefetch(leaf * LEAF_BYTES);
    }

    /// Begins to read the leaf that `leaf_of` says for the present number of leaves; `None` while it is being changed.
    #[inline]
    pub(super) fn begin(&self, leaf_of: impl FnOnce(usize) -> usize) -> Option<(usize, Reading)> {
        let shape = self.shape();
        let leaf = leaf_of((shape & ((1 << LEAVES_BITS) - 1)) as usize);
        let sequence = leaf % SEQUENCES;
        let begun = self.shown.sequences[sequence].begin()?;
        let reading = Reading {
            shape,
            sequence,
            begun,
        };
        Some((leaf, reading))
    }

    /// Whether all that was read since is of one time.
    #[inline]
    pub(super) fn is_same(&self, reading: Reading) -> bool {
        // The sequence first: its fence is also before this look at the shape.
        self.shown.sequences[reading.sequence].is_same(reading.begun)
            && self.shape() == reading.shape
    }

    /// The words of a leaf, which are what they are only if [`Self::is_same`] says so afterwards.
    #[inline]
    pub(super) fn leaf(&self, leaf: usize) -> Option<Leaf> {
        let mut words = [0; LEAF_WORDS];
        (self.memory.load(leaf * LEAF_BYTES, &mut words)).then(|| Leaf::from_words(&words))
    }
}

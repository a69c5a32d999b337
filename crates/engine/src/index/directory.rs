//! The directory of a table, which other threads read while it changes: leaves by number, and sequences that tell when
//! they change.
//!
//! ```text
//! memory      | leaf 0 | leaf 1 | ... | leaf 63 | leaf 64 ...          address space for all leaves there can be:
//!             +------------- block -------------+                      no leaf moves or is freed under a reader
//! sequences   one of 1024 for each leaf, by its number
//! shape       | changes of the number of leaves | leaves |
//! ```
//!
//! A leaf, its buckets, and the fields of its items that readers look at are changed only between
//! [`Directory::begin_change`] and [`Directory::end_change`]. A block that is given back reads as zero, which is an
//! empty leaf.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecached_mesh::{Begun, Sequence, step};

use super::leaf::{LEAF_BYTES, LEAF_WORDS, Leaf};
use crate::segment::{Segment, View};

/// Leaves of one block of the directory.
pub(super) const BLOCK_LEAVES: usize = 64;
/// Bytes of one block of the directory.
pub(super) const BLOCK_BYTES: u64 = (BLOCK_LEAVES * size_of::<Leaf>()) as u64;
/// Largest number of leaves: the number of a leaf has 32 bits, one of which is set for the second table.
pub(super) const LEAVES_MAX: usize = 1 << 31;
/// Sequences of a table.
const SEQUENCES: usize = 1024;
/// Bytes of a segment for each byte that its directory may need: an item takes at least 16 bytes, and a leaf is split
/// at 210 items.
const SEGMENT_BYTES_PER_BYTE: usize = 16 * 210 / LEAF_BYTES;
const LEAVES_BITS: u32 = 32;

const _: () = assert!(LEAVES_MAX < 1 << LEAVES_BITS);

/// The state that readers look at besides leaves.
#[derive(Debug)]
struct Shown {
    /// The number of leaves in the low bits, and how often it has changed: a reader that finds the same value as before
    /// has read everything with that number of leaves.
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

/// A change that is under way. It is empty if the change is a part of another change.
#[derive(Debug)]
#[must_use = "readers wait for the end of a change"]
pub(crate) struct Change(Option<usize>);

impl Directory {
    /// A directory with one empty leaf, for a segment of so many bytes.
    ///
    /// # Errors
    ///
    /// The address space cannot be mapped.
    pub(super) fn new(segment_bytes: usize) -> io::Result<Self> {
        let blocks = segment_bytes / SEGMENT_BYTES_PER_BYTE / BLOCK_BYTES as usize + 1;
        Ok(Self {
            memory: Segment::anonymous(blocks * BLOCK_BYTES as usize)?,
            leaves_max: (blocks * BLOCK_LEAVES).min(LEAVES_MAX),
            shown: Arc::new(Shown {
                shape: AtomicU64::new(1),
                sequences: (0..SEQUENCES).map(|_| Sequence::new()).collect(),
            }),
        })
    }

    /// Number of leaves that the directory has room for.
    pub(super) fn leaves_max(&self) -> usize {
        self.leaves_max
    }

    /// A leaf.
    #[inline]
    pub(super) fn leaf(&self, leaf: usize) -> &Leaf {
        self.memory.record(leaf * LEAF_BYTES)
    }

    /// Prefetches a leaf.
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

    /// Called when a leaf, or something that it refers to, is about to change.
    #[inline]
    pub(super) fn begin_change(&self, leaf: usize) -> Change {
        let sequence = leaf % SEQUENCES;
        Change((self.shown.sequences[sequence].begin_change()).then_some(sequence))
    }

    /// Ends a change.
    #[inline]
    pub(super) fn end_change(&self, change: Change) {
        if let Some(sequence) = change.0 {
            self.shown.sequences[sequence].end_change();
        }
    }

    /// Ends two changes together.
    pub(super) fn end_changes(&self, changes: [Change; 2]) {
        for change in changes {
            self.end_change(change);
        }
    }

    /// Shows readers the number of leaves. The caller is changing the leaves that came or went, and the leaves that
    /// they were split from.
    pub(super) fn publish(&mut self, leaves: usize) {
        let changes = self.shown.shape.load(Ordering::Relaxed) >> LEAVES_BITS;
        let shape = (changes + 1) << LEAVES_BITS | leaves as u64;
        step::point();
        self.shown.shape.store(shape, Ordering::Release);
    }

    /// Gives the memory of a block back. All its leaves are empty.
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

/// The sequence and the shape with which a reader has begun.
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
        step::point();
        self.shown.shape.load(Ordering::Relaxed)
    }

    /// Prefetches a leaf.
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

    /// Whether everything read since `reading` began is of one time.
    #[inline]
    pub(super) fn is_same(&self, reading: Reading) -> bool {
        // The sequence first: its fence is also before this look at the shape.
        self.shown.sequences[reading.sequence].is_same(reading.begun)
            && self.shape() == reading.shape
    }

    /// The words of a leaf. They mean something only if [`Self::is_same`] confirms them afterwards.
    #[inline]
    pub(super) fn leaf(&self, leaf: usize) -> Option<Leaf> {
        let mut words = [0; LEAF_WORDS];
        (self.memory.load(leaf * LEAF_BYTES, &mut words)).then(|| Leaf::from_words(&words))
    }
}

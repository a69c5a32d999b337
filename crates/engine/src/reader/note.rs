//! Notes and counts by which a reader tells engines what it has read.

use crate::index::ReadNote;
use crate::item::policy;

/// The reads that one thread has made of one other shard and has not told that shard's engine yet. The notes are
/// emptied and used again.
#[derive(Clone, Debug, Default)]
pub struct ReadNotes {
    /// Items that were used.
    pub(crate) used: Vec<ReadNote>,
    /// By class: number of items found.
    pub(crate) hits: Vec<u32>,
    /// Whether any of `hits` is above 0.
    has_hits: bool,
}

/// Largest number of notes of used items. For further items within the same few milliseconds only the hits are counted.
const USED_MAX: usize = 512;

impl ReadNotes {
    /// Counts an item of this class that was found; `used` is the note for its engine, if the item is to be marked as
    /// used.
    #[inline]
    pub fn add(&mut self, class: u8, used: Option<ReadNote>) {
        let class = usize::from(class);
        if class >= self.hits.len() {
            self.hits.resize(class + 1, 0);
        }
        self.hits[class] += 1;
        self.has_hits = true;
        if let Some(note) = used
            && self.used.len() < USED_MAX
        {
            self.used.push(note);
        }
    }

    /// Whether there is nothing to tell.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_hits
    }

    /// Number of items that the engine is to be told of as used.
    #[inline]
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.len()
    }

    /// Empties the notes after the engine has been told.
    pub fn clear(&mut self) {
        self.used.clear();
        self.hits.fill(0);
        self.has_hits = false;
    }

    /// Bytes of heap memory held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.used.capacity() * size_of::<ReadNote>() + self.hits.capacity() * size_of::<u32>()
    }
}

/// Whether one more access changes the frequency of an item.
pub(crate) fn is_worth_a_note(frequency: u8) -> bool {
    policy::accessed(frequency) != frequency
}

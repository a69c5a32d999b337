//! Warm restart: the items of a shard outlive the process in the file that holds the segment.
//!
//! ```text
//! file      | page 0: mark | pages with items and the extents of the index, as they are                  |
//! saved     | format version | layout, page table, directory of the index, clock, next cas unique |
//! ```
//!
//! The saved state takes some 20 bytes for a kB of items. Everything refers to memory by offsets in the segment, so
//! nothing is moved or rebuilt. The mark ties the two together: a file that was written to since it was saved, or by
//! another process, does not have it. Nothing is believed before the checksum of each page has shown that the page is
//! as it was, and [`crate::upkeep::sound`] has shown that its references can be followed.

use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::contents::Census;
use crate::effort::Effort;
use crate::engine::Engine;
use crate::index::SavedIndex;
use crate::item::State;
use crate::slab::{ChunkRef, INDEX_CLASS, NO_CLASS, PageId, SavedSlabs};

/// The format version. It changes whenever the layout of items, pages, the index or the saved state changes. The saved
/// state begins with it, so that every version can tell whether it understands the rest.
const FORMAT: u32 = 11;
/// Where the mark lies; page 0 holds nothing else.
const MARK_AT: usize = 0;
/// Bytes of the mark.
const MARK_BYTES: usize = 16;

/// Settings that have to be the same in both processes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    segment_bytes: usize,
    page_bytes: usize,
    cas_bytes: usize,
    chunk_bytes: Vec<usize>,
    hash_seed: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    mark: [u8; MARK_BYTES],
    layout: Layout,
    slabs: SavedSlabs,
    index: SavedIndex,
    clock: Clock,
    cas_next: u64,
    census: Census,
}

/// Why a shard could not be restored.
#[derive(Debug)]
pub enum RestoreError {
    /// The state was saved by a version with another format.
    OtherVersion,
    /// The saved state cannot be read.
    Unreadable,
    /// The state was saved with settings that give another layout.
    OtherLayout,
    /// The memory file is another one, or is not as it was when the state was saved.
    OtherFile,
    /// Something in the memory file is not as it was, or the saved state contradicts itself.
    Damaged,
    /// The memory cannot be mapped.
    Io(io::Error),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVersion => f.write_str("the state was saved by another version of corecached"),
            Self::Unreadable => f.write_str("the saved state is unreadable"),
            Self::OtherLayout => f.write_str(
                "it was saved with other settings (-C, -f, -n, -t, -o slab_sizes or slab_chunk_max)",
            ),
            Self::OtherFile => {
                f.write_str("the memory file does not belong to the saved state, or has changed")
            }
            Self::Damaged => f.write_str("the memory file is damaged"),
            Self::Io(error) => write!(f, "cannot map the memory file: {error}"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl Engine {
    /// Returns everything that [`Self::restore`] needs beside the memory file. `mark` is written to the file and must
    /// be different each time. Values being received are given up, and pinned values are no longer pinned: nobody may
    /// use these values or this engine afterwards.
    pub fn save(&mut self, mark: [u8; 16]) -> Vec<u8> {
        self.settle();
        // The next process would not know of prefaulted pages.
        self.contents.items.slabs.end_prefault();
        self.contents.items.slabs.end_release();
        self.contents.items.slabs.segment.write(MARK_AT, &mark);
        let saved = Saved {
            mark,
            layout: self.layout(),
            slabs: self.contents.items.slabs.saved(),
            index: self.contents.index.saved(),
            clock: *self.contents.clock,
            cas_next: self.cas.next(),
            census: self.contents.census.clone(),
        };
        postcard::to_extend(&saved, FORMAT.to_le_bytes().to_vec())
            .expect("plain numbers always have a serialized form")
    }

    /// A shard as it was when it was saved. The clock must go on from the time of the save, or from a later time.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`]. Nothing is lost by trying: after an error the file is as before.
    pub fn restore(
        config: EngineConfig,
        budget: Arc<Budget>,
        saved: &[u8],
    ) -> Result<Self, RestoreError> {
        let (format, saved) = saved.split_first_chunk().ok_or(RestoreError::Unreadable)?;
        if u32::from_le_bytes(*format) != FORMAT {
            return Err(RestoreError::OtherVersion);
        }
        let saved: Saved = postcard::from_bytes(saved).map_err(|_| RestoreError::Unreadable)?;
        let mut engine = Self::new(config, budget).map_err(RestoreError::Io)?;
        if engine.layout() != saved.layout
            || saved.census.classes() != engine.contents.census.classes()
        {
            return Err(RestoreError::OtherLayout);
        }
        if engine
            .contents
            .items
            .slabs
            .segment
            .bytes(MARK_AT, MARK_BYTES)
            != saved.mark
        {
            return Err(RestoreError::OtherFile);
        }
        engine.take_over(&saved)?;
        // Any write from here on makes the saved state worthless, so the mark goes.
        let segment = &mut engine.contents.items.slabs.segment;
        segment.write(MARK_AT, &[0; MARK_BYTES]);
        Ok(engine)
    }

    /// Takes over the saved state of a shard of this layout.
    fn take_over(&mut self, saved: &Saved) -> Result<(), RestoreError> {
        let outside_bytes = saved.index.directory_bytes();
        if !saved.index.is_sound()
            || !saved
                .slabs
                .is_sound(&self.contents.items.slabs, outside_bytes)
        {
            return Err(RestoreError::Damaged);
        }
        self.contents.items.slabs.adopt(&saved.slabs);
        let slabs = &self.contents.items.slabs;
        (self.contents.index.adopt(slabs, &saved.index)).map_err(RestoreError::Io)?;
        self.contents.clock.set(saved.clock);
        self.cas.go_on_from(saved.cas_next);
        self.contents.census.clone_from(&saved.census);
        self.telemetry.restored(saved.census.items());
        match self.is_sound(&saved.slabs) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RestoreError::Damaged),
            Err(error) => Err(RestoreError::Io(error)),
        }
    }

    fn layout(&self) -> Layout {
        let slabs = &self.contents.items.slabs;
        Layout {
            segment_bytes: slabs.segment_bytes(),
            page_bytes: slabs.page_bytes(),
            cas_bytes: self.contents.items.cas_bytes,
            chunk_bytes: (0..slabs.sizes.len())
                .map(|class| slabs.sizes.chunk_bytes(class as u8))
                .collect(),
            hash_seed: self.contents.hash_seed(),
        }
    }

    /// Ends everything that is under way, so that the state consists of pages, items and index alone.
    fn settle(&mut self) {
        self.spending(|engine, effort| {
            engine.contents.unpin_all(effort);
            engine.give_up_staged(effort);
            engine.contents.free_dying(usize::MAX, effort);
            let mut memory = engine.memory(effort);
            memory.stop_drain();
            memory.stop_condensing();
        });
        self.victims.dissolve_probation(&mut self.contents);
        self.walks.break_off(&mut self.contents);
    }

    /// Frees values that were being received. Since nothing is pinned any more, only pages with such values are
    /// guarded.
    fn give_up_staged(&mut self, effort: &mut Effort) {
        self.receiving.clear();
        let guarded: Vec<PageId> = (1..self.contents.items.slabs.pages_end())
            .filter(|&id| self.contents.items.slabs.page(id).guarded > 0)
            .collect();
        for &id in &guarded {
            let page = self.contents.items.slabs.page_mut(id);
            (page.guarded, page.receiving) = (0, 0);
        }
        for id in guarded {
            let page = *self.contents.items.slabs.page(id);
            if page.class == NO_CLASS || page.class == INDEX_CLASS {
                continue;
            }
            let chunk_bytes = self.contents.items.slabs.sizes.chunk_bytes(page.class) as u32;
            for first in (0..page.carved / chunk_bytes)
                .map(|number| number * chunk_bytes)
                .filter_map(|offset| self.contents.items.slabs.chunk_in(id, offset))
                .collect::<Vec<ChunkRef>>()
            {
                let state = self.contents.items.head(first).state();
                if matches!(state, State::Loose | State::LooseChain) {
                    self.contents.free_item(first, effort);
                }
            }
        }
    }
}

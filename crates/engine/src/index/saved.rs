//! The directories of the index, for a restart that finds the leaves' extents in a file.

use std::io;

use serde::{Deserialize, Serialize};

use super::Index;
use super::directory::{BLOCK_BYTES, BLOCK_LEAVES, LEAVES_MAX};
use super::leaf::Leaf;
use super::second::{SecretKey, TableHasher};
use super::table::{Division, Table};
use crate::slab::{ChunkRef, INDEX_CLASS, Slabs};

/// Largest number of unused blocks of the directory in a saved state: far more than are ever kept.
const SPARE_BLOCKS_MAX: usize = 1 << 16;

/// The leaves of one table, as a restart needs them.
#[derive(Debug, Serialize, Deserialize)]
struct SavedTable {
    leaves: Vec<Leaf>,
    blocks: usize,
    items: usize,
    extents: u64,
}

impl SavedTable {
    /// Bytes of the directory.
    fn directory_bytes(&self) -> u64 {
        self.blocks as u64 * BLOCK_BYTES
    }

    /// Whether this state can be taken over.
    fn is_sound(&self) -> bool {
        let blocks = self.leaves.len().div_ceil(BLOCK_LEAVES);
        let sum = |of: fn(&Leaf) -> usize| self.leaves.iter().map(of).sum::<usize>();
        (1..=LEAVES_MAX).contains(&self.leaves.len())
            && (blocks..=blocks + SPARE_BLOCKS_MAX).contains(&self.blocks)
            && self.leaves.iter().all(Leaf::has_sound_counts)
            && sum(Leaf::items) == self.items
            && sum(Leaf::extent_count) as u64 == self.extents
    }
}

/// The saved state of both tables.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedIndex {
    usual: SavedTable,
    second: Option<SavedTable>,
    secret: SecretKey,
}

impl SavedIndex {
    /// Bytes of the directories.
    pub(crate) fn directory_bytes(&self) -> u64 {
        let second = self.second.as_ref().map_or(0, SavedTable::directory_bytes);
        self.usual.directory_bytes() + second
    }

    /// Whether this state can be taken over.
    pub(crate) fn is_sound(&self) -> bool {
        self.usual.is_sound() && self.second.as_ref().is_none_or(SavedTable::is_sound)
    }
}

impl Index {
    /// Number of items.
    pub(crate) fn items(&self) -> usize {
        self.tables().map(|table| table.items).sum()
    }

    /// All extents, in order of memory; `None` if one of them is not a chunk of the index, or belongs to two leaves.
    pub(crate) fn sound_extents(&self, slabs: &Slabs) -> Option<Vec<ChunkRef>> {
        let mut extents: Vec<ChunkRef> = self.tables().flat_map(Table::all_extents).collect();
        extents.sort_unstable_by_key(|extent| extent.0);
        let are_chunks = (extents.iter()).all(|&extent| slabs.is_chunk_of(INDEX_CLASS, extent));
        let are_different = extents.windows(2).all(|pair| pair[0] != pair[1]);
        (are_chunks && are_different).then_some(extents)
    }

    /// Whether the counts of all leaves and buckets are those of their slots.
    pub(crate) fn has_sound_buckets(&self, slabs: &Slabs) -> bool {
        self.tables().all(|table| table.has_sound_buckets(slabs))
    }

    /// The state that [`Self::adopt`] needs.
    pub(crate) fn saved(&self) -> SavedIndex {
        SavedIndex {
            usual: self.usual.saved(),
            second: self.second.as_deref().map(Table::saved),
            secret: self.secret,
        }
    }

    /// Takes over the tables of an earlier process, which are sound.
    ///
    /// # Errors
    ///
    /// There is no address space for a directory.
    pub(crate) fn adopt(&mut self, slabs: &Slabs, saved: &SavedIndex) -> io::Result<()> {
        self.usual.adopt(&saved.usual)?;
        self.secret = saved.secret;
        self.second = None;
        if let Some(saved) = &saved.second {
            let mut table = Table::uncharged(slabs, TableHasher::Secret(self.secret))?;
            table.adopt(saved)?;
            self.second = Some(Box::new(table));
        }
        Ok(())
    }
}

impl Table {
    /// All extents.
    fn all_extents(&self) -> impl Iterator<Item = ChunkRef> {
        (0..self.leaves).flat_map(|leaf| self.leaf(leaf).extents().iter().copied())
    }

    /// Whether the counts of all leaves and buckets are those of their slots.
    fn has_sound_buckets(&self, slabs: &Slabs) -> bool {
        (0..self.leaves).all(|leaf| self.leaf(leaf).has_sound_buckets(slabs))
    }

    /// The state that [`Self::adopt`] needs.
    fn saved(&self) -> SavedTable {
        SavedTable {
            leaves: (0..self.leaves).map(|leaf| *self.leaf(leaf)).collect(),
            blocks: self.blocks,
            items: self.items,
            extents: self.extents,
        }
    }

    /// Takes over the directory of an earlier process, which is sound. Its bytes are charged together with the slabs
    /// that are taken over.
    fn adopt(&mut self, saved: &SavedTable) -> io::Result<()> {
        if saved.blocks * BLOCK_LEAVES > self.directory.leaves_max() {
            return Err(io::Error::other(
                "the saved index is too large for the shard",
            ));
        }
        self.blocks = saved.blocks;
        self.set_leaves(saved.leaves.len());
        for (index, leaf) in saved.leaves.iter().enumerate() {
            self.directory.change(index, |changed| *changed = *leaf);
        }
        self.items = saved.items;
        self.extents = saved.extents;
        self.division = Division::NONE;
        self.version += 1;
        Ok(())
    }
}

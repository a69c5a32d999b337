//! The directory of the index, for a restart that finds the leaves' extents in a file.

use serde::{Deserialize, Serialize};

use super::division::Division;
use super::leaf::Leaf;
use super::{BLOCK_LEAVES, Index, mask_for};

/// See the head of this file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedIndex {
    leaves: Vec<Leaf>,
    blocks: usize,
    items: usize,
    extents: u64,
}

impl Index {
    /// What [`Self::adopt`] needs.
    pub(crate) fn saved(&self) -> SavedIndex {
        SavedIndex {
            leaves: (0..self.leaves).map(|leaf| *self.leaf(leaf)).collect(),
            blocks: self.blocks.len(),
            items: self.items,
            extents: self.extents,
        }
    }

    /// Takes over the directory of an earlier process. Its bytes are charged with the slabs that are taken over.
    pub(crate) fn adopt(&mut self, saved: &SavedIndex) {
        let blocks = saved.blocks.max(saved.leaves.len().div_ceil(BLOCK_LEAVES));
        self.blocks = (0..blocks)
            .map(|_| Box::new([Leaf::EMPTY; BLOCK_LEAVES]))
            .collect();
        self.leaves = saved.leaves.len();
        self.mask = mask_for(self.leaves);
        for (index, leaf) in saved.leaves.iter().enumerate() {
            *self.leaf_mut(index) = *leaf;
        }
        self.items = saved.items;
        self.extents = saved.extents;
        self.division = Division::NONE;
        self.version += 1;
    }
}

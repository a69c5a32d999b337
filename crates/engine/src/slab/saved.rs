//! What is known of a shard's pages, for a restart that finds the pages themselves in a file.

use serde::{Deserialize, Serialize};

use super::page::{List, Page};
use super::{Class, Slabs};

/// See the head of this file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedSlabs {
    pages: Vec<Page>,
    classes: Vec<Class>,
    pool: List,
    vacant: List,
    held_bytes: u64,
}

impl Slabs {
    /// What [`Self::adopt`] needs.
    pub(crate) fn saved(&self) -> SavedSlabs {
        SavedSlabs {
            pages: self.pages.clone(),
            classes: self.classes.clone(),
            pool: self.pool,
            vacant: self.vacant,
            held_bytes: self.account.held_bytes(),
        }
    }

    /// Takes over the pages of an earlier process; these are empty slabs over the same file. What is held is charged even
    /// if it exceeds the limit, which may be lower now: the excess is then trimmed as after `cache_memlimit`.
    pub(crate) fn adopt(&mut self, saved: SavedSlabs) {
        self.pages.clear();
        self.pages.extend_from_slice(&saved.pages);
        self.classes = saved.classes;
        self.pool = saved.pool;
        self.vacant = saved.vacant;
        let held_bytes = self.account.held_bytes();
        self.account.release(held_bytes);
        self.account.charge_anyway(saved.held_bytes);
    }
}

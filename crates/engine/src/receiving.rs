//! Values on their way in: one as its holder sees it, the ticket that may travel in its place, and all of an engine.
//!
//! ```text
//! Staged          one value, one holder: committed or aborted once, by the engine that made it
//! StagedTicket    a number for a value left with its engine: copies are harmless, the first one back gets the value
//! Receiving       the values that were left with an engine, and the memory of all that are on their way
//! ```

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::contents::RefHasher;
use crate::id::EngineId;
use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// Calls of [`Engine::staged_space`](crate::engine::Engine::staged_space) in a row that may find no memory while pages
/// are being emptied. They are more calls than it takes to empty 16 pages of the smallest chunks, so that patience is
/// only used up where no page can be emptied.
pub(crate) const PATIENCE: u32 = 8192;

/// A value on its way in. Must be given back by [`Engine::commit`](crate::engine::Engine::commit) or
/// [`Engine::abort`](crate::engine::Engine::abort) of the same engine.
#[derive(Debug)]
#[must_use = "a staged value holds memory until it is committed or aborted"]
pub struct Staged {
    pub(crate) engine: EngineId,
    pub(crate) first: ChunkRef,
    pub(crate) hash: KeyHash,
    /// The last chunk, and its room that has no value yet.
    pub(crate) last: ChunkRef,
    pub(crate) room: usize,
    /// Bytes written or handed out.
    pub(crate) written: usize,
    pub(crate) value_bytes: usize,
    pub(crate) patience: u32,
    /// A last chunk that shares its page with chunks of other items.
    pub(crate) tail: ChunkRef,
    /// Bytes of the chunks of the value.
    pub(crate) held_bytes: u64,
}

/// A ticket for a [`Staged`] that was left with its engine. It can be copied into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagedTicket(pub(crate) u64);

/// All values of an engine that are on their way in.
#[derive(Debug, Default)]
pub(crate) struct Receiving {
    /// Bytes of the chunks of these values.
    pub(crate) held_bytes: u64,
    /// The values that were left with the engine, by their tickets.
    pub(crate) left: HashMap<u64, Staged, BuildHasherDefault<RefHasher>>,
}

impl Receiving {
    /// Whether no value is on its way in.
    pub(crate) fn is_empty(&self) -> bool {
        self.held_bytes == 0
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self) {
        self.left.clear();
        self.held_bytes = 0;
    }
}

impl Staged {
    /// Length of the whole value.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Bytes that have been neither written nor handed out yet.
    #[must_use]
    pub fn missing_bytes(&self) -> usize {
        self.value_bytes - self.written
    }

    pub(crate) fn note_written(&mut self, len: usize) {
        self.room -= len;
        self.written += len;
    }
}

//! A value on its way in, as its holder sees it.

use crate::slab::ChunkRef;
use crate::types::KeyHash;

/// Calls of [`Engine::staged_space`](super::Engine::staged_space) in a row that may find no memory while pages are being
/// emptied. More than it takes to empty 16 pages of the smallest chunks, so that it is only used up where no page can be
/// emptied.
pub(super) const PATIENCE: u32 = 8192;

/// A value on its way in. Must be given back by [`Engine::commit`](super::Engine::commit) or
/// [`Engine::abort`](super::Engine::abort).
#[derive(Debug)]
#[must_use = "a staged value holds memory until it is committed or aborted"]
pub struct Staged(pub(super) StagedHandle);

/// A [`Staged`] in a form that can be copied into messages. It is still one value, to be committed or aborted once.
#[derive(Clone, Copy, Debug)]
pub struct StagedHandle {
    pub(super) first: ChunkRef,
    pub(super) hash: KeyHash,
    /// The last chunk, and what it has no value for yet.
    pub(super) last: ChunkRef,
    pub(super) room: usize,
    /// Bytes written or handed out.
    pub(super) written: usize,
    pub(super) value_bytes: usize,
    pub(super) patience: u32,
}

impl StagedHandle {
    /// The value. Whoever takes it out of a message is the only one to do so.
    pub fn into_staged(self) -> Staged {
        Staged(self)
    }
}

impl Staged {
    /// A value of which nothing has come yet, and whose first chunk has room for `room` bytes of it.
    pub(super) fn begin(first: ChunkRef, hash: KeyHash, room: usize, value_bytes: usize) -> Self {
        Self(StagedHandle {
            first,
            hash,
            last: first,
            room,
            written: 0,
            value_bytes,
            patience: PATIENCE,
        })
    }

    /// A form that can be copied into messages.
    #[must_use = "the value holds memory until it is committed or aborted"]
    pub fn into_handle(self) -> StagedHandle {
        self.0
    }

    /// Length of the whole value.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.0.value_bytes
    }

    /// Bytes that have been neither written nor handed out yet.
    #[must_use]
    pub fn missing_bytes(&self) -> usize {
        self.0.value_bytes - self.0.written
    }

    pub(super) fn note_written(&mut self, len: usize) {
        self.0.room -= len;
        self.0.written += len;
    }
}

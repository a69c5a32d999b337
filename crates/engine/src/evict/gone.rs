//! Removing an item for its memory.

use crate::contents::{Cause, Contents};
use crate::effort::Effort;
use crate::slab::ChunkRef;
use crate::telemetry::Telemetry;
use crate::types::KeyHash;

/// The item that was removed for its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// A dead item.
    Dead,
    /// A live item.
    Evicted {
        /// The class of its first chunk.
        class: u8,
        /// Bytes of header, optional fields, key and value.
        bytes: u64,
    },
}

/// Removes a live item for its memory.
pub(crate) fn evict(
    contents: &mut Contents,
    telemetry: &mut Telemetry,
    effort: &mut Effort,
    (chunk, hash): (ChunkRef, KeyHash),
    cause: Cause,
) -> Gone {
    let leaving = contents.leaving(chunk, cause);
    telemetry.leaves(&leaving);
    let gone = Gone::Evicted {
        class: leaving.class,
        bytes: leaving.item_bytes,
    };
    contents.remove(chunk, hash, effort);
    gone
}

/// Removes a dead item that a search for memory has met.
pub(crate) fn reclaim(
    contents: &mut Contents,
    telemetry: &mut Telemetry,
    effort: &mut Effort,
    chunk: ChunkRef,
) -> Gone {
    telemetry.leaves(&contents.leaving(chunk, Cause::Met));
    contents.remove(chunk, contents.hash_of(chunk), effort);
    Gone::Dead
}

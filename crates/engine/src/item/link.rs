//! Links: how the later chunks of a value are found by whoever has an address and a number, but no engine.

use super::Items;
use super::chain::tail_length;
use super::head::TAIL_BYTES;
use crate::slab::ChunkRef;
use crate::words;

/// Bits of a link for the reference of a chunk; those above are the exponent of the granule.
const LINK_CHUNK_BITS: u32 = 32;

/// The link by which [`next_piece`] finds a later chunk of a chain; 0 for none.
fn link(chunk: u32, granule_shift: u32) -> u64 {
    if chunk == 0 {
        0
    } else {
        u64::from(granule_shift) << LINK_CHUNK_BITS | u64::from(chunk)
    }
}

/// The piece of a pinned value that `link` leads to: where it begins, its length, and the next link, 0 at the end.
///
/// If something has been appended meanwhile, the last piece is longer than it was, and others may follow: the caller
/// stops at [`crate::PinnedValue::value_bytes`].
///
/// # Safety
///
/// `base` is that of a [`crate::PinnedValue`]; `link` is its link, or one that this function returned for it. The item
/// is still pinned and its engine alive.
pub unsafe fn next_piece(base: *const u8, link: u64) -> (*const u8, usize, u64) {
    let shift = (link >> LINK_CHUNK_BITS) as u32;
    let address = (link as u32 as usize) << shift;
    // SAFETY: a link leads to a later chunk of a chain. The chunks of a pinned item are neither moved nor freed, and
    // are aligned. Meanwhile the engine may be writing the first word of the last chunk (its length and the reference
    // of the next chunk), as `words` says.
    let word = u64::from_le(unsafe { words::load(base.add(address)) });
    let (word, next) = (word as u32, (word >> 32) as u32);
    let len = tail_length(word);
    // SAFETY: the chunk's value lies behind its header.
    let start = unsafe { base.add(address + TAIL_BYTES) };
    (start, len, self::link(next, shift))
}

impl Items {
    /// The link that leads to `chunk`.
    pub(crate) fn link_to(&self, chunk: ChunkRef) -> u64 {
        link(chunk.0, self.slabs.granule_shift())
    }
}

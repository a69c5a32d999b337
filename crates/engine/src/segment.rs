//! The address space of one shard: the only file of the engine that follows a raw pointer into it.
//!
//! One [`Mapping`], not populated unless asked for: an address costs memory from its first write until
//! [`Segment::discard`]. Everything above sees byte slices and plain records at offsets, borrowed from the segment, so
//! that the borrow checker rules over them as over any `Vec<u8>`. An offset outside the segment is a panic, never a
//! stray access.
//!
//! ```text
//! 0          page 1                    page 2                    ...                   segment_bytes
//! +----------+-------------------------+-------------------------+---------------------+
//! | page 0 is never used: offset 0 is the null reference                               |
//! +----------+-------------------------+-------------------------+---------------------+
//! ```

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::api::{Piece, Space};
use crate::config::MemoryFile;
use crate::item::{TAIL_BYTES, tail_length};
use crate::mapping::Mapping;

/// A record that may be viewed in the segment's bytes.
///
/// # Safety
///
/// The type has no padding, every bit pattern is a value of it, and it has no interior mutability.
pub(crate) unsafe trait Plain: Copy {}

/// Address space and its access. See the head of this file.
#[derive(Debug)]
pub(crate) struct Segment {
    base: NonNull<u8>,
    bytes: usize,
    mapping: Arc<Mapping>,
}

// SAFETY: nobody else reads or writes the mapping (those who share it discard only what this has never reached, see
// `prefault`); all access goes through `&self` or `&mut self`.
unsafe impl Send for Segment {}
// SAFETY: a piece is an address and a length; whoever reads through it keeps the item pinned meanwhile, on any thread.
unsafe impl Send for Piece {}
// SAFETY: likewise; only its holder reads or writes through it, until it gives up the value that it is a part of.
unsafe impl Send for Space {}

impl Segment {
    /// Maps `bytes` of address space, a multiple of 4096, backed by `file` if there is one.
    ///
    /// # Errors
    ///
    /// The kernel refuses the mapping, or the file has no room for its first page.
    pub(crate) fn new(
        bytes: usize,
        huge_pages: bool,
        file: Option<MemoryFile>,
    ) -> io::Result<Self> {
        let mapping = Arc::new(Mapping::new(bytes, huge_pages, file)?);
        let base = mapping.base();
        mapping.back(0, 4096)?;
        Ok(Self {
            base,
            bytes,
            mapping,
        })
    }

    /// Makes sure that `len` bytes at `at` can be written: a file system that is full says so here, and not by a fault
    /// at the first write. Anonymous memory needs nothing.
    ///
    /// # Errors
    ///
    /// The file system has no room, or the file cannot be written.
    pub(crate) fn back(&mut self, at: usize, len: usize) -> io::Result<()> {
        self.check(at, len);
        self.mapping.back(at, len)
    }

    /// What is below the addresses.
    pub(crate) fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    #[inline]
    fn check(&self, at: usize, len: usize) {
        // `len` is at most a page; an `at` near the end of the address space would need a segment of that size.
        assert!(
            at < self.bytes && len <= self.bytes - at,
            "access beyond the segment"
        );
    }

    /// `len` bytes from `at`.
    #[inline]
    pub(crate) fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.check(at, len);
        // SAFETY: in bounds by `check`; mapped memory is initialised (zero or written); `&self` excludes writers.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(at), len) }
    }

    /// `len` bytes from `at`, to be written.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        self.check(at, len);
        // SAFETY: as in `bytes`; `&mut self` excludes every other borrow.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(at), len) }
    }

    /// Copies `len` bytes inside the segment; the ranges may overlap.
    pub(crate) fn copy(&mut self, from: usize, to: usize, len: usize) {
        self.check(from, len);
        self.check(to, len);
        // SAFETY: both ranges are in bounds by `check`; `copy` allows overlap; `&mut self` excludes other borrows.
        let (from, to) = unsafe { (self.base.as_ptr().add(from), self.base.as_ptr().add(to)) };
        // SAFETY: as above.
        unsafe { std::ptr::copy(from, to, len) };
    }

    /// The record at `at`.
    #[inline]
    pub(crate) fn record<T: Plain>(&self, at: usize) -> &T {
        self.check(at, size_of::<T>());
        assert!(at.is_multiple_of(align_of::<T>()), "misaligned record");
        // SAFETY: in bounds and aligned (the base is page-aligned); `Plain` accepts any bytes; `&self` excludes writers.
        unsafe { &*self.base.as_ptr().add(at).cast::<T>() }
    }

    /// The record at `at`, to be written.
    #[inline]
    pub(crate) fn record_mut<T: Plain>(&mut self, at: usize) -> &mut T {
        self.check(at, size_of::<T>());
        assert!(at.is_multiple_of(align_of::<T>()), "misaligned record");
        // SAFETY: as in `record`; `&mut self` excludes every other borrow.
        unsafe { &mut *self.base.as_ptr().add(at).cast::<T>() }
    }

    /// Writes a word that [`next_piece`] may be reading on another thread, which sees the word before or this one.
    pub(crate) fn publish(&mut self, at: usize, word: u32) {
        self.check(at, 4);
        assert!(at.is_multiple_of(4), "misaligned word");
        // SAFETY: in bounds and aligned (the base is page-aligned); `&mut self` excludes other borrows, and `next_piece`,
        // which borrows nothing, reads it as an atomic too.
        let shared = unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(at).cast()) };
        // Whatever else is written leads to nothing that the reader follows.
        shared.store(word.to_le(), Ordering::Relaxed);
    }

    /// Asks the processor for the cache line at `at`; an offset outside the segment is ignored.
    #[inline]
    pub(crate) fn prefetch(&self, at: usize) {
        if at < self.bytes {
            prefetch(self.base.as_ptr().wrapping_add(at));
        }
    }

    /// The address of `len` bytes at `at`, for use after the borrow ends.
    pub(crate) fn piece(&self, at: usize, len: usize) -> Piece {
        self.check(at, len);
        // SAFETY: in bounds by `check`.
        let ptr = unsafe { self.base.as_ptr().add(at) };
        Piece { ptr, len }
    }

    /// The first byte.
    pub(crate) fn base(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// The same, to be written. Who hands it out sees to it that nothing else refers to these bytes meanwhile: slices are
    /// only ever made of what they are asked for, so those of other bytes do no harm.
    pub(crate) fn space(&mut self, at: usize, len: usize) -> Space {
        self.check(at, len);
        // SAFETY: in bounds by `check`.
        let ptr = unsafe { self.base.as_ptr().add(at) };
        Space { ptr, len }
    }

    /// Gives the memory behind `len` bytes at `at` back to the kernel; they read as zero afterwards.
    pub(crate) fn discard(&mut self, at: usize, len: usize) {
        self.check(at, len);
        // SAFETY: `&mut self` excludes every borrow of these bytes.
        let discarded = unsafe { self.mapping.discard(at, len) };
        if !discarded {
            // A file system without holes keeps the memory; what is promised is that it reads as zero.
            self.bytes_mut(at, len).fill(0);
        }
    }
}

/// Bits of a link for the reference of a chunk; those above are the exponent of the granule.
const LINK_CHUNK_BITS: u32 = 32;

/// What [`next_piece`] needs to find a later chunk of a chain; 0 for none.
pub(crate) fn link(chunk: u32, granule_shift: u32) -> u64 {
    if chunk == 0 {
        0
    } else {
        u64::from(granule_shift) << LINK_CHUNK_BITS | u64::from(chunk)
    }
}

/// The piece of a pinned value that `link` leads to: where it begins, its length, and the next link, 0 at the end.
///
/// Where something has been appended meanwhile, the last piece is longer than it was, and others may follow: who asks
/// stops at [`crate::PinnedValue::value_bytes`].
///
/// # Safety
///
/// `base` and `link` are those of a [`crate::PinnedValue`], or the link is one that this returned for it; the item is still
/// pinned and its engine alive.
pub unsafe fn next_piece(base: *const u8, link: u64) -> (*const u8, usize, u64) {
    let shift = (link >> LINK_CHUNK_BITS) as u32;
    let address = (link as u32 as usize) << shift;
    // SAFETY: a link leads to a later chunk of a chain. Those of a pinned item are neither moved nor freed. Nobody writes to
    // what is read here, but for the length of the last chunk and what follows it, by `Segment::publish`.
    let [word, next] = [0, 4].map(|at| unsafe {
        let word = AtomicU32::from_ptr(base.add(address + at).cast_mut().cast());
        u32::from_le(word.load(Ordering::Relaxed))
    });
    let len = tail_length(word);
    // SAFETY: the chunk's value lies behind its header.
    let start = unsafe { base.add(address + TAIL_BYTES) };
    (start, len, self::link(next, shift))
}

/// Asks the processor for the cache line at `address`, which may be any.
#[inline]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_read_back_and_discarded() {
        let mut segment = Segment::new(1 << 16, false, None).unwrap();
        segment.bytes_mut(4096, 5).copy_from_slice(b"hello");
        segment.copy(4096, 4098, 5);
        assert_eq!(segment.bytes(4096, 7), b"hehello");
        segment.discard(4096, 4096);
        assert_eq!(segment.bytes(4096, 7), [0; 7]);
    }

    #[test]
    #[should_panic(expected = "beyond the segment")]
    fn an_offset_outside_panics() {
        let segment = Segment::new(1 << 16, false, None).unwrap();
        let _ = segment.bytes(1 << 16, 1);
    }

    #[test]
    #[should_panic(expected = "beyond the segment")]
    fn a_range_that_wraps_panics() {
        let segment = Segment::new(1 << 16, false, None).unwrap();
        let _ = segment.bytes(8, usize::MAX);
    }
}

//! The address space of one shard: the only file of the engine that follows a raw pointer into it.
//!
//! One [`Mapping`], not populated unless asked for: an address costs memory from its first write until
//! [`Segment::discard`]. All code above sees byte slices and plain records at offsets, borrowed from the segment, so
//! that the borrow checker watches over them as over any `Vec<u8>`. An offset outside the segment is a panic, never a
//! stray access.
//!
//! Other threads may read the segment meanwhile, at any offset ([`View`]). So it is written in words
//! ([`crate::words`]), and nobody ever holds a `&mut` into it. The one thread that writes also reads, by plain slices:
//! those reads race with nothing.
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

use corecached_mesh::step;

use crate::api::{Piece, Space};
use crate::config::MemoryFile;
use crate::mapping::{Mapping, Pages};
use crate::words::{self, WORD_BYTES};

/// A record that may be viewed in the segment's bytes.
///
/// # Safety
///
/// The type has no padding, every bit pattern is a value of it, and it has no interior mutability.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for u64 {}

/// Bytes of one step of a copy inside a segment.
const BOUNCE_BYTES: usize = 512;

/// Address space of a shard and the only access to it, by offsets.
#[derive(Debug)]
pub(crate) struct Segment {
    base: NonNull<u8>,
    bytes: usize,
    mapping: Arc<Mapping>,
}

// SAFETY: nobody else writes the mapping (other owners of the mapping discard only pages that this segment has never
// reached, see `prefault`); all access goes through `&self` or `&mut self`, except for that of a view, which reads as
// `words` says.
unsafe impl Send for Segment {}
// SAFETY: a piece is an address and a length; its reader, on any thread, keeps the item pinned meanwhile.
unsafe impl Send for Piece {}
// SAFETY: a space is an address and a length; only its holder reads or writes through it, until the holder gives up the
// value that the space is a part of.
unsafe impl Send for Space {}

impl Segment {
    /// Maps `bytes` of address space, a multiple of 4096, backed by `file` if there is one.
    ///
    /// # Errors
    ///
    /// The kernel refuses the mapping, or the file has no room for its first page.
    pub(crate) fn new(bytes: usize, pages: Pages, file: Option<MemoryFile>) -> io::Result<Self> {
        let mapping = Arc::new(Mapping::new(bytes, pages, file)?);
        let base = mapping.base();
        mapping.back(0, 4096)?;
        Ok(Self {
            base,
            bytes,
            mapping,
        })
    }

    /// Maps `bytes` of address space, a multiple of 4096, that no file and no huge pages are behind.
    ///
    /// # Errors
    ///
    /// The kernel refuses the mapping.
    pub(crate) fn anonymous(bytes: usize) -> io::Result<Self> {
        Self::new(bytes, Pages::Ordinary, None)
    }

    /// Makes sure that `len` bytes at `at` can be written: if the file system is full, this call fails, and not the
    /// first write by a fault. For anonymous memory it does nothing.
    ///
    /// # Errors
    ///
    /// The file system has no room, or the file cannot be written.
    pub(crate) fn back(&mut self, at: usize, len: usize) -> io::Result<()> {
        self.check(at, len);
        self.mapping.back(at, len)
    }

    /// Whether the memory is that of a file.
    pub(crate) fn is_file(&self) -> bool {
        self.mapping.is_file()
    }

    /// The mapping that provides the addresses.
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

    /// Where the words of `len` bytes from `at` are written.
    #[inline]
    fn target(&mut self, at: usize, len: usize) -> *mut u8 {
        self.check(at, len);
        self.base.as_ptr().wrapping_add(at)
    }

    /// Writes `bytes` from `at` on.
    #[inline]
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let target = self.target(at, bytes.len());
        // SAFETY: in bounds by `check`, and so are the words: the mapping is whole pages. `&mut self` excludes other
        // writers.
        unsafe { words::write(target, bytes) };
    }

    /// Writes the aligned word at `at`, in the order of memory.
    #[inline]
    pub(crate) fn store(&mut self, at: usize, word: u64) {
        let target = self.target(at, WORD_BYTES);
        assert!(at.is_multiple_of(WORD_BYTES), "misaligned word");
        // SAFETY: in bounds and aligned (the base is page-aligned); `&mut self` excludes other writers.
        unsafe { words::store(target, word.to_le()) };
    }

    /// Writes `value`, a field of `bits` bits at `at`, into the word that it is a part of.
    #[inline]
    pub(crate) fn store_field(&mut self, at: usize, bits: usize, value: u64) {
        let shift = 8 * (at % WORD_BYTES);
        let word = self.target(at - at % WORD_BYTES, WORD_BYTES);
        assert!(shift + bits <= 64 && bits < 64, "field across words");
        let mask = ((1 << bits) - 1) << shift;
        // SAFETY: in bounds and aligned (the base is page-aligned); `&mut self` excludes other writers.
        unsafe { words::store_masked(word, u64::to_le(mask), (value << shift).to_le()) };
    }

    /// Sets each of the `len` bytes from `at` to `byte`.
    pub(crate) fn fill(&mut self, at: usize, len: usize, byte: u8) {
        for begin in (at..at + len).step_by(BOUNCE_BYTES) {
            let bytes = [byte; BOUNCE_BYTES];
            self.write(begin, &bytes[..BOUNCE_BYTES.min(at + len - begin)]);
        }
    }

    /// Copies `len` bytes inside the segment; the ranges may overlap.
    pub(crate) fn copy(&mut self, from: usize, to: usize, len: usize) {
        self.check(from, len);
        self.check(to, len);
        let mut bounce = [0; BOUNCE_BYTES];
        let mut done = 0;
        while done < len {
            let step = BOUNCE_BYTES.min(len - done);
            // The order sees to it that only bytes are overwritten that have been copied before.
            let at = if to <= from { done } else { len - done - step };
            bounce[..step].copy_from_slice(self.bytes(from + at, step));
            self.write(to + at, &bounce[..step]);
            done += step;
        }
    }

    /// The record at `at`.
    #[inline]
    pub(crate) fn record<T: Plain>(&self, at: usize) -> &T {
        self.check(at, size_of::<T>());
        assert!(at.is_multiple_of(align_of::<T>()), "misaligned record");
        // SAFETY: in bounds and aligned (the base is page-aligned); `Plain` accepts any bytes; `&self` excludes
        // writers.
        unsafe { &*self.base.as_ptr().add(at).cast::<T>() }
    }

    /// Prefetches the cache line at `at`; an offset outside the segment is ignored.
    #[inline]
    pub(crate) fn prefetch(&self, at: usize) {
        if at < self.bytes {
            prefetch(self.base.as_ptr().wrapping_add(at));
        }
    }

    /// The segment for readers on other threads.
    pub(crate) fn view(&self) -> View {
        View {
            base: self.base,
            bytes: self.bytes,
            _mapping: Arc::clone(&self.mapping),
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

    /// The address of `len` bytes at `at`, to be written after the borrow ends. The caller sees to it that nothing else
    /// refers to these bytes meanwhile. A slice covers only the bytes that it was asked for, so slices of other bytes
    /// do no harm.
    pub(crate) fn space(&mut self, at: usize, len: usize) -> Space {
        self.check(at, len);
        // SAFETY: in bounds by `check`.
        let ptr = unsafe { self.base.as_ptr().add(at) };
        Space { ptr, len }
    }

    /// Gives the memory behind `len` bytes at `at` back to the kernel; they read as zero afterwards.
    pub(crate) fn discard(&mut self, at: usize, len: usize) {
        self.check(at, len);
        step::point();
        // SAFETY: `&mut self` excludes every borrow of these bytes.
        let discarded = unsafe { self.mapping.discard(at, len) };
        if !discarded {
            // A file system without holes keeps the memory, so it is made zero here, as promised.
            self.fill(at, len, 0);
        }
    }
}

/// A segment as other threads see it: words that may be anything. Memory that has been given back meanwhile reads as
/// zero. The view keeps the mapping alive.
#[derive(Clone, Debug)]
pub(crate) struct View {
    base: NonNull<u8>,
    bytes: usize,
    _mapping: Arc<Mapping>,
}

// SAFETY: a view reads the mapping, which it keeps alive, by atomic accesses only, and never writes.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Whether `len` bytes at `at` are inside.
    #[inline]
    fn has(&self, at: usize, len: usize) -> bool {
        at < self.bytes && len <= self.bytes - at
    }

    /// The aligned words at `at`, in the order of memory; false outside the segment.
    #[inline]
    pub(crate) fn load<const N: usize>(&self, at: usize, into: &mut [u64; N]) -> bool {
        self.load_some(at, into)
    }

    /// As many aligned words at `at` as fit into `into`, in the order of memory; false outside the segment.
    #[inline]
    pub(crate) fn load_some(&self, at: usize, into: &mut [u64]) -> bool {
        let fits = at.is_multiple_of(WORD_BYTES) && self.has(at, into.len() * WORD_BYTES);
        if fits {
            for (index, word) in into.iter_mut().enumerate() {
                let address = self.base.as_ptr().wrapping_add(at + index * WORD_BYTES);
                // SAFETY: in bounds and aligned (the base is page-aligned); writers write as `words` says.
                *word = u64::from_le(unsafe { words::load(address) });
            }
        }
        fits
    }

    /// Appends `len` bytes at `at` to `out`; false outside the segment.
    #[inline]
    pub(crate) fn read(&self, at: usize, len: usize, out: &mut Vec<u8>) -> bool {
        let fits = self.has(at, len);
        if fits {
            // SAFETY: in bounds, and so are the words: the mapping is whole pages. Writers write as `words` says.
            unsafe { words::read(self.base.as_ptr().wrapping_add(at), len, out) };
        }
        fits
    }

    /// Prefetches the cache line at `at`; an offset outside the segment is ignored.
    #[inline]
    pub(crate) fn prefetch(&self, at: usize) {
        if at < self.bytes {
            prefetch(self.base.as_ptr().wrapping_add(at));
        }
    }
}

/// Writes `bytes` to a [`Space`], from its beginning or from behind the bytes that were written there before. Readers
/// of the shard may be looking at that memory, since it held something else before: it is written in words.
///
/// # Safety
///
/// The bytes fit; the value that the space is a part of is neither committed nor aborted, and its engine alive.
pub unsafe fn write_space(target: *mut u8, bytes: &[u8]) {
    // SAFETY: a space is memory of a segment that nobody else writes to. Before it lie a header that is not written to
    // meanwhile and bytes of the same value, behind it nothing that is used.
    unsafe { words::write(target, bytes) };
}

/// Prefetches the cache line at `address`, which may be any.
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
        let mut segment = Segment::anonymous(1 << 16).unwrap();
        segment.write(4096, b"hello");
        segment.copy(4096, 4098, 5);
        assert_eq!(segment.bytes(4096, 7), b"hehello");
        segment.discard(4096, 4096);
        assert_eq!(segment.bytes(4096, 7), [0; 7]);
    }

    #[test]
    fn copies_may_overlap_in_both_directions() {
        let text: Vec<u8> = (0..2000_u32).map(|at| (at % 251) as u8).collect();
        for (from, to) in [(100, 103), (103, 100), (100, 1700), (700, 100), (100, 100)] {
            let mut segment = Segment::anonymous(1 << 16).unwrap();
            segment.write(from, &text);
            segment.copy(from, to, text.len());
            assert_eq!(segment.bytes(to, text.len()), text, "{from} to {to}");
            segment.fill(to, text.len(), 0);
            assert_eq!(segment.bytes(to, text.len()), vec![0; text.len()]);
        }
    }

    #[test]
    fn a_view_sees_what_is_written_and_nothing_outside() {
        let mut segment = Segment::anonymous(1 << 16).unwrap();
        let view = segment.view();
        segment.write(4099, b"hello");
        segment.store_field(4104, 16, 0x4142);
        let mut words = [0; 2];
        assert!(view.load(4096, &mut words));
        assert_eq!(words, [u64::from_le_bytes(*b"\0\0\0hello"), 0x4142]);
        assert!(!view.load(4097, &mut words) && !view.load((1 << 16) - 8, &mut words));
        let mut out = Vec::new();
        assert!(view.read(4099, 5, &mut out) && !view.read(1 << 16, 1, &mut out));
        assert!(!view.read(8, usize::MAX, &mut out));
        assert_eq!(out, b"hello");
        drop(segment);
        assert!(view.read(4099, 5, &mut out), "the mapping is kept");
    }

    #[test]
    #[should_panic(expected = "beyond the segment")]
    fn an_offset_outside_panics() {
        let segment = Segment::anonymous(1 << 16).unwrap();
        let _ = segment.bytes(1 << 16, 1);
    }

    #[test]
    #[should_panic(expected = "beyond the segment")]
    fn a_range_that_wraps_panics() {
        let segment = Segment::anonymous(1 << 16).unwrap();
        let _ = segment.bytes(8, usize::MAX);
    }
}

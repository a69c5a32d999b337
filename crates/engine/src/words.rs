//! Memory that one thread writes while others read it, word by word.
//!
//! Rust allows that for atomic accesses, of one size for each place. So a segment is always written as aligned words of
//! 64 bits, and threads other than the owner also read it so. Where a field begins or ends inside a word, the rest of
//! that word is written with it, as it was: there is one writer.
//!
//! ```text
//! word      |........|........|........|
//! field          |ccc|cccccccc|cc|             c: written; the dots of its first and last word keep what they have
//! ```
//!
//! Every write is a release, or follows a release fence: a thread that reads one of its words and passes an acquire
//! fence sees all that was written before (`corecached_mesh::Sequence` builds on this). On x86-64 that costs nothing.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use corecached_mesh::step;

/// Bytes of a word.
pub(crate) const WORD_BYTES: usize = 8;

/// The word at `address`.
///
/// # Safety
///
/// The address is aligned and inside memory that stays mapped for `'a` and is accessed as this file's head says.
#[inline]
unsafe fn word<'a>(address: *mut u8) -> &'a AtomicU64 {
    step::word();
    // SAFETY: aligned and mapped, says the caller; whatever races with it is an atomic access of the same size.
    unsafe { AtomicU64::from_ptr(address.cast()) }
}

/// Replaces the bits of a word that are set in `mask`.
///
/// # Safety
///
/// The contract of [`word`], and nobody else writes the word.
#[inline]
unsafe fn merge(address: *mut u8, mask: u64, bits: u64) {
    // SAFETY: the caller keeps this function's contract.
    let word = unsafe { word(address) };
    let kept = word.load(Ordering::Relaxed) & !mask;
    word.store(kept | bits & mask, Ordering::Release);
}

/// Up to 8 bytes as the low bytes of a word in memory's order.
#[inline]
fn gather(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let half = |at: usize| {
        u64::from(u32::from_le_bytes([
            bytes[at],
            bytes[at + 1],
            bytes[at + 2],
            bytes[at + 3],
        ]))
    };
    match len {
        8.. => half(0) | half(4) << 32,
        4.. => half(0) | half(len - 4) << (8 * (len - 4)),
        0 => 0,
        // The first, the middle and the last cover up to three bytes.
        _ => {
            u64::from(bytes[0])
                | u64::from(bytes[len / 2]) << (8 * (len / 2))
                | u64::from(bytes[len - 1]) << (8 * (len - 1))
        }
    }
}

/// The low `len` bytes of a word, of 0 to 8.
#[inline]
fn low_bytes(len: usize) -> u64 {
    if len == WORD_BYTES {
        u64::MAX
    } else {
        (1 << (8 * len)) - 1
    }
}

/// Writes up to 8 bytes at `address`.
///
/// # Safety
///
/// The contract of [`write`].
#[inline]
unsafe fn write_short(address: *mut u8, bytes: &[u8]) {
    let skip = address.addr() % WORD_BYTES;
    let first = address.wrapping_sub(skip);
    let (bits, mask) = (gather(bytes), low_bytes(bytes.len()));
    let (low, low_mask) = (bits << (8 * skip), mask << (8 * skip));
    // SAFETY: the words that the bytes lie in.
    unsafe { merge(first, low_mask.to_le(), low.to_le()) };
    if skip + bytes.len() > WORD_BYTES {
        let shift = 8 * (WORD_BYTES - skip);
        let (high, high_mask) = (bits >> shift, mask >> shift);
        // SAFETY: as above.
        unsafe {
            merge(
                first.wrapping_add(WORD_BYTES),
                high_mask.to_le(),
                high.to_le(),
            );
        }
    }
}

/// Writes `bytes` at `address`.
///
/// # Safety
///
/// The words that the bytes lie in are in memory that is accessed as this file's head says, and nobody else writes to
/// them.
#[inline]
pub(crate) unsafe fn write(address: *mut u8, bytes: &[u8]) {
    if bytes.len() <= WORD_BYTES {
        if !bytes.is_empty() {
            // SAFETY: the caller keeps this function's contract.
            unsafe { write_short(address, bytes) };
        }
        return;
    }
    let skip = address.addr() % WORD_BYTES;
    let here = (WORD_BYTES - skip) % WORD_BYTES;
    let (head, rest) = bytes.split_at(here);
    if !head.is_empty() {
        // SAFETY: the first word of the bytes.
        unsafe { write_short(address, head) };
    }
    fence(Ordering::Release);
    let mut to = address.wrapping_add(here);
    let (words, tail) = rest.as_chunks::<WORD_BYTES>();
    for &bytes in words {
        // SAFETY: a word that is overwritten as a whole.
        unsafe { word(to) }.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        to = to.wrapping_add(WORD_BYTES);
    }
    if !tail.is_empty() {
        // SAFETY: the last word of the bytes.
        unsafe { write_short(to, tail) };
    }
}

/// Writes one whole word.
///
/// # Safety
///
/// The contract of [`write`]; the address is aligned.
#[inline]
pub(crate) unsafe fn store(address: *mut u8, value: u64) {
    // SAFETY: the caller keeps this function's contract.
    unsafe { word(address) }.store(value, Ordering::Release);
}

/// Replaces the bits of one word that are set in `mask`.
///
/// # Safety
///
/// The contract of [`write`]; the address is aligned.
#[inline]
pub(crate) unsafe fn store_masked(address: *mut u8, mask: u64, bits: u64) {
    // SAFETY: the caller keeps this function's contract.
    unsafe { merge(address, mask, bits) };
}

/// Reads one word.
///
/// # Safety
///
/// The address is aligned, in memory that is accessed as this file's head says.
#[inline]
pub(crate) unsafe fn load(address: *const u8) -> u64 {
    // SAFETY: the caller keeps this function's contract.
    unsafe { word(address.cast_mut()) }.load(Ordering::Relaxed)
}

/// Appends the `len` bytes at `address` to `out`.
///
/// # Safety
///
/// The words that the bytes lie in are in memory that is accessed as this file's head says.
#[inline]
pub(crate) unsafe fn read(address: *const u8, len: usize, out: &mut Vec<u8>) {
    // The first word begins before the bytes, the last may end behind them.
    out.reserve(len + 2 * WORD_BYTES);
    let before = out.len();
    let skip = address.addr() % WORD_BYTES;
    let first = address.wrapping_sub(skip);
    // SAFETY: the word that the bytes begin in.
    let word = unsafe { load(first) };
    let word = u64::from_le(word) >> (8 * skip);
    // SAFETY: room was made.
    unsafe { put(out, before, word.to_le()) };
    // Each further word overwrites the bytes that the word before wrote beyond its own.
    let mut done = WORD_BYTES - skip;
    while done < len {
        // SAFETY: a word that some of the bytes lie in.
        let word = unsafe { load(first.wrapping_add(skip + done)) };
        // SAFETY: room was made for a word behind `len`.
        unsafe { put(out, before + done, word) };
        done += WORD_BYTES;
    }
    // SAFETY: all of them have been written.
    unsafe { out.set_len(before + len) };
}

/// Writes a word into the spare room of `out`.
///
/// # Safety
///
/// The room reaches 8 bytes behind `at`.
#[inline]
unsafe fn put(out: &mut Vec<u8>, at: usize, word: u64) {
    // SAFETY: the caller keeps this function's contract; the bytes need not be aligned.
    unsafe { out.as_mut_ptr().add(at).cast::<u64>().write_unaligned(word) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 bytes of memory.
    fn memory() -> Vec<u64> {
        vec![u64::from_ne_bytes(*b"abcdefgh"); 8]
    }

    #[test]
    fn bytes_of_any_length_are_written_at_any_place_and_read_back() {
        let text: Vec<u8> = (100..164).collect();
        for at in 0..24 {
            for len in 0..=40 {
                let mut memory = memory();
                let base = memory.as_mut_ptr().cast::<u8>();
                // SAFETY: inside the memory, which nobody else knows.
                unsafe { write(base.wrapping_add(at), &text[..len]) };
                let mut read_back = b"before".to_vec();
                // SAFETY: as above.
                unsafe { read(base.wrapping_add(at), len, &mut read_back) };
                assert_eq!(&read_back[..6], b"before");
                assert_eq!(read_back[6..], text[..len], "{len} bytes at {at}");
                let mut all = Vec::new();
                // SAFETY: as above.
                unsafe { read(base, 64, &mut all) };
                let untouched = b"abcdefgh".repeat(8);
                assert_eq!(all[..at], untouched[..at], "{len} bytes at {at}");
                assert_eq!(
                    all[at + len..],
                    untouched[at + len..],
                    "{len} bytes at {at}"
                );
            }
        }
    }

    #[test]
    fn words_are_stored_whole_and_in_part() {
        let mut memory = memory();
        let base = memory.as_mut_ptr().cast::<u8>();
        // SAFETY: inside the memory, which nobody else knows.
        unsafe {
            store(base, 7);
            store_masked(base, 0xff00, 0x1234);
            assert_eq!(load(base), 0x1207);
        }
    }
}

//! The receive buffers a ring offers to the kernel (a provided-buffer ring).
//!
//! ```text
//!   entries: [ addr,len,id | addr,len,id | ... ]   shared with the kernel; the tail lies in entry 0's spare field
//!   bytes:   [ buffer 0    | buffer 1    | ... ]
//! ```
//!
//! A buffer belongs to the kernel from the moment its entry lies before the tail, to us from the completion that
//! names it until [`BufferRing::recycle`].

use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The number of buffers: more receives than this at once wait for a buffer to come back (and lose nothing).
pub(super) const BUFFERS: u16 = 64;
/// The largest piece of a reply that arrives in one completion.
pub(super) const BUFFER_BYTES: usize = 16 * 1024;
/// The group the kernel knows these buffers by.
pub(super) const GROUP: u16 = 0;

const PAGE_BYTES: usize = 4096;
const _: () = assert!(BUFFERS.is_power_of_two(), "the kernel masks the tail");

/// A buffer that the kernel has filled and given to us. It is not copied: giving it back is possible once.
#[derive(Debug, PartialEq, Eq)]
pub struct Filled {
    id: u16,
    length: usize,
}

impl Filled {
    /// The buffer that a completion names, with the bytes it says arrived.
    pub(super) fn new(id: u16, length: usize) -> Self {
        Self { id, length }
    }
}

/// The buffers of one ring, and the entries shared with the kernel.
pub(super) struct BufferRing {
    entries: NonNull<BufRingEntry>,
    bytes: NonNull<u8>,
    tail: u16,
}

impl BufferRing {
    const ENTRIES_LAYOUT: Layout = layout(BUFFERS as usize * size_of::<BufRingEntry>());
    const BYTES_LAYOUT: Layout = layout(BUFFERS as usize * BUFFER_BYTES);

    /// Allocates all buffers, registers them and hands them to the kernel.
    pub(super) fn register(submitter: &Submitter<'_>) -> io::Result<Self> {
        let mut ring = Self {
            entries: allocate(Self::ENTRIES_LAYOUT).cast(),
            bytes: allocate(Self::BYTES_LAYOUT),
            tail: 0,
        };
        // SAFETY: `entries` is page-aligned memory for BUFFERS entries that lives until `drop`, and the owner of this
        // value drops its ring (which ends the registration) first.
        unsafe {
            submitter.register_buf_ring_with_flags(
                ring.entries.as_ptr() as u64,
                BUFFERS,
                GROUP,
                0,
            )?;
        };
        (0..BUFFERS).for_each(|id| ring.recycle(Filled::new(id, 0)));
        Ok(ring)
    }

    /// The bytes that arrived in a buffer.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let &Filled { id, length } = filled;
        assert!(id < BUFFERS && length <= BUFFER_BYTES);
        // SAFETY: the range lies in the allocation by the assertion; it was zeroed at first, so it is initialized; the
        // kernel writes to it only while it owns the buffer, which ended with the completion that made `filled`,
        // and `recycle` needs `&mut self`.
        unsafe {
            std::slice::from_raw_parts(
                self.bytes.as_ptr().add(usize::from(id) * BUFFER_BYTES),
                length,
            )
        }
    }

    /// Hands a buffer back to the kernel.
    pub(super) fn recycle(&mut self, filled: Filled) {
        let id = filled.id;
        assert!(id < BUFFERS);
        let slot = usize::from(self.tail & (BUFFERS - 1));
        // SAFETY: `slot` and `id` are below BUFFERS. The entry at the tail is not yet visible to the kernel: it sees
        // entries before the tail only, and no more than BUFFERS are in it because a
        // `Filled` is given back once.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(slot);
            entry.set_addr(self.bytes.as_ptr().add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies in the first entry, 2-aligned, in memory that lives as long as `self`; the kernel
        // only reads it. The release store publishes the entry written above.
        unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries.as_ptr()).cast_mut()) }
            .store(self.tail, Ordering::Release);
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: both came from `allocate` with the same layouts.
        unsafe {
            dealloc(self.entries.as_ptr().cast(), Self::ENTRIES_LAYOUT);
            dealloc(self.bytes.as_ptr(), Self::BYTES_LAYOUT);
        }
    }
}

const fn layout(bytes: usize) -> Layout {
    match Layout::from_size_align(bytes, PAGE_BYTES) {
        Ok(layout) => layout,
        Err(_) => panic!("the layout is a small constant"),
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layouts of this file are not empty.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

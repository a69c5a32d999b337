//! What tests of several crates share: an allocator that tells of every allocation.
//!
//! ```
//! use corecached_testing::TellingAllocator;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
//!
//! #[global_allocator]
//! static ALLOCATOR: TellingAllocator = TellingAllocator::new(|| {
//!     ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
//! });
//!
//! let before = ALLOCATIONS.load(Ordering::Relaxed);
//! drop(Box::new(1));
//! assert!(ALLOCATIONS.load(Ordering::Relaxed) > before);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which calls a function before each allocation and each change of an allocation's size.
///
/// The function is called on the thread that allocates. If it allocates itself, it is called again for that.
#[derive(Clone, Copy, Debug)]
pub struct TellingAllocator {
    tell: fn(),
}

impl TellingAllocator {
    /// An allocator that calls `tell`.
    #[must_use]
    pub const fn new(tell: fn()) -> Self {
        TellingAllocator { tell }
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for TellingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        (self.tell)();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        (self.tell)();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        (self.tell)();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

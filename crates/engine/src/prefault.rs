//! Memory that is populated before a shard needs it (`-o prefault`).
//!
//! ```text
//! segment of a shard   | page 0 | pages drawn so far | prefaulted, unused | never touched   |
//!                                  the owner draws on -^                    ^- anyone discards, when
//!                                                                              memory is drawn elsewhere
//! ```
//!
//! Unused memory is in the process but not charged to the [`crate::Budget`]: it belongs to the shard that draws it
//! first, like all memory below `-m`. The owner draws it from the front. When another shard draws pages that were never
//! touched, and held and prefaulted memory together would pass the limit, that shard discards as much from the end of
//! the shard that has most left. Nothing ever comes back here: a page that was discarded is drawn like any other, and
//! faulted in at its first write.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::mapping::{HUGE_PAGE_BYTES, Mapping};

/// Memory populated by one system call, so that shards that start together take turns, and a signal is not kept
/// waiting.
pub(crate) const STEP_BYTES: usize = 64 << 20;

/// Unused prefaulted pages of one shard.
#[derive(Debug)]
pub(crate) struct Unused {
    mapping: Arc<Mapping>,
    page_bytes: usize,
    /// By page number. Locked while pages are being discarded, so that the owner cannot draw one of them meanwhile.
    pages: Mutex<Range<u32>>,
    /// Length of `pages`, to look at without the lock. It becomes 0 only after the last discard is done.
    left: AtomicU32,
}

impl Unused {
    fn lock(&self) -> MutexGuard<'_, Range<u32>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, pages: &mut Range<u32>, to: Range<u32>) {
        self.left.store(to.len() as u32, Ordering::Release);
        *pages = to;
    }

    /// Takes the first page out if it is `page`; false if that page is not, or no longer, prefaulted.
    fn take(&self, page: u32) -> bool {
        if self.left.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut pages = self.lock();
        let is_there = pages.contains(&page);
        if is_there {
            debug_assert_eq!(pages.start, page, "pages are drawn one after the other");
            let rest = page + 1..pages.end;
            self.set(&mut pages, rest);
        }
        is_there
    }

    /// Gives some pages at the end back to the kernel, a huge page's worth if there are huge ones; returns how many.
    fn discard_some(&self) -> u32 {
        let unit = if self.mapping.has_huge_pages() {
            (HUGE_PAGE_BYTES / self.page_bytes).max(1) as u32
        } else {
            1
        };
        let mut pages = self.lock();
        if pages.is_empty() {
            return 0;
        }
        let end = ((pages.end - 1) / unit * unit).max(pages.start);
        let gone = (pages.end - end) as usize;
        let at = end as usize * self.page_bytes;
        // SAFETY: the owner has not drawn these pages, so it has no reference to them, and cannot draw them before the
        // lock is free. A file system that cannot give memory back keeps pages that hold nothing.
        let _ = unsafe { self.mapping.discard(at, gone * self.page_bytes) };
        let rest = pages.start..end;
        self.set(&mut pages, rest);
        gone as u32
    }
}

/// Unused prefaulted memory of all shards.
#[derive(Debug, Default)]
pub(crate) struct Prefaulted {
    bytes: AtomicU64,
    shards: Mutex<Vec<Arc<Unused>>>,
}

impl Prefaulted {
    fn shards(&self) -> MutexGuard<'_, Vec<Arc<Unused>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of prefaulted memory that no shard uses yet.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Gives some of it back to the kernel; false if there is nothing left to give.
    pub(crate) fn discard_some(&self) -> bool {
        let left = |unused: &&Arc<Unused>| unused.left.load(Ordering::Relaxed);
        let most = self.shards().iter().max_by_key(left).map(Arc::clone);
        let Some(unused) = most else { return false };
        let gone = unused.discard_some();
        let bytes = u64::from(gone) * unused.page_bytes as u64;
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        gone > 0
    }
}

/// A shard's own end of [`Prefaulted`].
#[derive(Debug)]
pub(crate) struct Share {
    unused: Arc<Unused>,
}

impl Share {
    /// No pages yet; pages from number `first` on are to follow.
    pub(crate) fn new(
        all: &Prefaulted,
        mapping: &Arc<Mapping>,
        page_bytes: usize,
        first: u32,
    ) -> Self {
        let unused = Arc::new(Unused {
            mapping: Arc::clone(mapping),
            page_bytes,
            pages: Mutex::new(first..first),
            left: AtomicU32::new(0),
        });
        all.shards().push(Arc::clone(&unused));
        Self { unused }
    }

    /// Counts `pages` more, which are about to be populated, unless held and prefaulted memory would then pass `limit`.
    pub(crate) fn announce(
        &self,
        all: &Prefaulted,
        pages: u32,
        fits: impl Fn(u64) -> bool,
    ) -> bool {
        let bytes = u64::from(pages) * self.unused.page_bytes as u64;
        let sum = all.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let granted = fits(sum);
        if !granted {
            all.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        granted
    }

    /// Notes that `pages` that were announced are populated.
    pub(crate) fn extend(&self, pages: u32) {
        let mut range = self.unused.lock();
        let longer = range.start..range.end + pages;
        self.unused.set(&mut range, longer);
    }

    /// Takes page `page`, the next that was never drawn; false if it is not prefaulted.
    pub(crate) fn take(&self, all: &Prefaulted, page: u32) -> bool {
        let taken = self.unused.take(page);
        if taken {
            let bytes = self.unused.page_bytes as u64;
            all.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    /// Bytes left.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.unused.left.load(Ordering::Relaxed)) * self.unused.page_bytes as u64
    }

    /// Gives everything back to the kernel, for good.
    pub(crate) fn close(&self, all: &Prefaulted) {
        all.shards()
            .retain(|unused| !Arc::ptr_eq(unused, &self.unused));
        loop {
            let gone = self.unused.discard_some();
            if gone == 0 {
                return;
            }
            let bytes = u64::from(gone) * self.unused.page_bytes as u64;
            all.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

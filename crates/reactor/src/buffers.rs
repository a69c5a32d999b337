//! The receive buffers: one mapping cut into equal buffers, and how they are lent to the kernel or the driver that
//! fills them.
//!
//! ```text
//!  ring:     | entry 0 | entry 1 | ... |          with io_uring: the kernel takes from the head, we add at the tail
//!  list:     3, 7, 1                              with epoll: what the driver is given with the next turn
//!  buffers:  | 0 ...... | 1 ...... | 2 ...... |
//! ```

use std::io;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use io_uring::types::BufRingEntry;

use crate::config::Io;
use crate::driver::Driver;
use crate::offer::Offer;

const PAGE_BYTES: usize = 4096;

/// Bytes that arrived, in a buffer of the reactor. Give it back with [`crate::Reactor::recycle`]: a buffer that is
/// dropped instead is lost to the ring.
#[derive(Debug)]
#[must_use = "a receive buffer goes back with Reactor::recycle"]
pub struct RecvBuf {
    owner: Owner,
    index: u16,
    len: u32,
}

impl RecvBuf {
    /// How many bytes arrived; never 0 in an event.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True if no bytes arrived.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Tells the buffer sets of a process apart: a [`RecvBuf`] of another set names bytes that the kernel may be writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner(u32);

impl Owner {
    fn new() -> Owner {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(number < u32::MAX, "a process has fewer reactors");
        Owner(number)
    }
}

/// The buffers of one reactor.
pub(crate) struct Buffers {
    owner: Owner,
    lending: Lending,
    memory: Mapping,
    count: u16,
    buffer_bytes: u32,
    group: u16,
    /// Buffers that are with the caller.
    outside: u16,
}

/// How buffers go to the kernel or the driver that fills them.
enum Lending {
    /// The kernel looks into a ring of entries.
    Ring {
        entries: Mapping,
        /// The tail as we count it; the kernel sees it after [`Buffers::publish`].
        tail: u16,
        published: u16,
    },
    /// The driver is given the buffers with these indexes.
    List(Vec<u16>),
}

impl Buffers {
    /// Maps `count` buffers for a driver of this kind. [`Buffers::register`] offers them to it.
    pub(crate) fn new(io: Io, count: u16, buffer_bytes: u32) -> io::Result<Buffers> {
        if !count.is_power_of_two() || count > 1 << 15 || buffer_bytes == 0 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let lending = match io {
            Io::Uring => Lending::Ring {
                entries: Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?,
                tail: 0,
                published: 0,
            },
            Io::Epoll => Lending::List(Vec::with_capacity(usize::from(count))),
        };
        let mut buffers = Buffers {
            owner: Owner::new(),
            lending,
            memory: Mapping::new(usize::from(count) * buffer_bytes as usize)?,
            count,
            buffer_bytes,
            group: 0,
            outside: 0,
        };
        // A list is taken from at its end, a ring at its beginning.
        match io {
            Io::Uring => (0..count).for_each(|index| buffers.add(index)),
            Io::Epoll => (0..count).rev().for_each(|index| buffers.add(index)),
        }
        Ok(buffers)
    }

    /// Offers the buffers, as `group`, to `driver`, which is of the kind they were made for. The driver must be closed
    /// before `self` is dropped.
    pub(crate) fn register(&mut self, driver: &mut Driver, group: u16) -> io::Result<()> {
        self.group = group;
        self.publish(driver);
        match (driver, &self.lending) {
            (Driver::Ring(ring), Lending::Ring { entries, .. }) => {
                let address = entries.base as u64;
                // SAFETY: the mapping is page-aligned, holds `count` entries, and the reactor drops the ring before it.
                unsafe { ring.register_buffers(address, self.count, group) }
            }
            (Driver::Epoll(epoll), Lending::List(_)) => {
                let offer = Offer {
                    base: self.memory.base,
                    count: self.count,
                    buffer_bytes: self.buffer_bytes,
                };
                // SAFETY: the reactor drops the driver before the buffers.
                unsafe { epoll.offer_buffers(offer, group) };
                Ok(())
            }
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }

    /// Takes note of a completion that carries buffer `index` with `len` bytes.
    pub(crate) fn received(&mut self, index: u16, len: u32) -> RecvBuf {
        assert!(
            index < self.count && len <= self.buffer_bytes,
            "the kernel returned a buffer we never gave it"
        );
        self.outside += 1;
        let owner = self.owner;
        RecvBuf { owner, index, len }
    }

    /// The bytes of `buf`.
    pub(crate) fn bytes(&self, buf: &RecvBuf) -> &[u8] {
        assert!(buf.owner == self.owner, "a buffer of another reactor");
        let start = self.offset(buf.index);
        // SAFETY: index and length were checked by `received`, so the slice lies in the mapping; the kernel has written
        // `len` bytes and does not touch the buffer until `recycle` consumes the `RecvBuf`.
        unsafe { std::slice::from_raw_parts(self.memory.base.add(start), buf.len()) }
    }

    /// Takes a buffer back; it can be filled again after [`Buffers::publish`].
    pub(crate) fn recycle(&mut self, buf: RecvBuf) {
        assert!(buf.owner == self.owner, "a buffer of another reactor");
        self.outside -= 1;
        self.add(buf.index);
    }

    /// Makes recycled buffers available to the kernel or the `driver` that fills them.
    pub(crate) fn publish(&mut self, driver: &mut Driver) {
        match &mut self.lending {
            Lending::Ring {
                tail, published, ..
            } if tail == published => {}
            Lending::Ring {
                entries,
                tail,
                published,
            } => {
                let base = entries.base.cast::<BufRingEntry>();
                // SAFETY: the mapping begins with the entries, whose first holds the ring's tail; the kernel reads it
                // concurrently, hence the atomic. Release: the entries written before must be visible first.
                unsafe {
                    let shared = BufRingEntry::tail(base).cast::<AtomicU16>();
                    (*shared).store(*tail, Ordering::Release);
                }
                *published = *tail;
            }
            Lending::List(returned) => {
                if let Driver::Epoll(epoll) = driver {
                    // SAFETY: each buffer is in the list once, after its `RecvBuf` was consumed or before there was
                    // one.
                    unsafe { epoll.supply(returned, self.group) };
                }
            }
        }
    }

    /// Buffers that are not with the caller, published or not.
    pub(crate) fn available(&self) -> u16 {
        self.count - self.outside
    }

    /// Where buffer `index` begins.
    fn offset(&self, index: u16) -> usize {
        usize::from(index) * self.buffer_bytes as usize
    }

    fn add(&mut self, index: u16) {
        let address = self.memory.base.wrapping_add(self.offset(index));
        let (entries, tail) = match &mut self.lending {
            Lending::Ring { entries, tail, .. } => (entries, tail),
            Lending::List(returned) => return returned.push(index),
        };
        let slot = usize::from(*tail & (self.count - 1));
        // SAFETY: `slot` is below `count`, so the entry lies in the mapping. At most `count` buffers exist and each is
        // in the ring once, so the kernel does not read this slot before the tail is published. The setters leave the
        // tail alone, which overlays the unused field of entry 0.
        unsafe {
            let entry = &mut *entries.base.cast::<BufRingEntry>().add(slot);
            entry.set_addr(address as u64);
            entry.set_len(self.buffer_bytes);
            entry.set_bid(index);
        }
        *tail = tail.wrapping_add(1);
    }
}

/// Anonymous memory, zeroed, page-aligned, kept out of children.
struct Mapping {
    base: *mut u8,
    bytes: usize,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Mapping> {
        let bytes = bytes.next_multiple_of(PAGE_BYTES);
        // SAFETY: a fresh private mapping, at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping made above. Children must not share pages the kernel writes to, and huge pages would
        // make a few touched cache lines count as megabytes; either advice may be refused.
        unsafe {
            libc::madvise(base, bytes, libc::MADV_DONTFORK);
            libc::madvise(base, bytes, libc::MADV_NOHUGEPAGE);
        }
        Ok(Mapping {
            base: base.cast(),
            bytes,
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, unmapped once; the ring that used it is closed (see `Buffers::register`).
        unsafe { libc::munmap(self.base.cast(), self.bytes) };
    }
}

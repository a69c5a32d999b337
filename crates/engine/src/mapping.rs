//! The address space below a segment. This is the only file of the engine that asks the kernel for memory.
//!
//! A mapping is anonymous, or a part of a file whose contents outlive the process (`-e`). Nothing of it is reserved:
//! an address costs memory from its first write, or from [`Mapping::populate`], until [`Mapping::discard`].

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use crate::config::MemoryFile;

/// Bytes of a huge page of x86-64, and of AArch64 with pages of 4 KiB.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// The pages that the kernel is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// 4 KiB, or what is usual on the machine.
    Ordinary,
    /// [`HUGE_PAGE_BYTES`], where the kernel has them.
    Huge,
}

/// Address space that the kernel fills with memory as it is touched, or with the pages of a file.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
    pages: Pages,
    file: Option<MemoryFile>,
}

// SAFETY: the mapping belongs to nobody's thread; it never reads or writes what it maps.
unsafe impl Send for Mapping {}
// SAFETY: as above; the kernel orders its system calls.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `bytes` of address space, a multiple of 4096, backed by `file` if there is one.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(crate) fn new(bytes: usize, pages: Pages, file: Option<MemoryFile>) -> io::Result<Self> {
        assert!(
            bytes > 0 && bytes.is_multiple_of(4096),
            "mapping of {bytes} bytes"
        );
        Ok(Self {
            base: map(bytes, pages, file.as_ref())?,
            bytes,
            pages,
            file,
        })
    }

    /// The address at which the mapping begins.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Whether the mapping is a part of a file.
    pub(crate) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Whether huge pages were asked for.
    pub(crate) fn has_huge_pages(&self) -> bool {
        self.pages == Pages::Huge
    }

    fn check(&self, at: usize, len: usize) {
        assert!(
            at <= self.bytes && len <= self.bytes - at,
            "range beyond the mapping"
        );
    }

    /// Makes sure that `len` bytes at `at` can be written: if the file system is full, this call fails, and not the
    /// first write by a fault. For anonymous memory it does nothing.
    ///
    /// # Errors
    ///
    /// The file system has no room, or the file cannot be written.
    pub(crate) fn back(&self, at: usize, len: usize) -> io::Result<()> {
        self.check(at, len);
        match &self.file {
            Some(file) => allocate(&file.file, 0, file.offset + at as u64, len),
            None => Ok(()),
        }
    }

    /// Has the kernel provide `len` bytes at `at` now, as the first write of this thread to each of its pages would.
    /// Contents stay as they are.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub(crate) fn populate(&self, at: usize, len: usize) -> io::Result<()> {
        self.back(at, len)?;
        populate(self.base, at, len)
    }

    /// Asks the kernel to take memory from the NUMA node of the CPU that this thread runs on, as long as that node has
    /// any, whichever thread writes first. If the kernel knows no nodes, or may not be asked, memory comes from the
    /// node of the first writer.
    pub(crate) fn prefer_this_node(&self) {
        prefer_this_node(self.base, self.bytes);
    }

    /// Gives the memory behind `len` bytes at `at` back to the kernel; they read as zero afterwards. False if the file
    /// system cannot give memory back: then the bytes are as they were.
    ///
    /// # Safety
    ///
    /// Nobody holds a reference to these bytes, or writes to them meanwhile.
    pub(crate) unsafe fn discard(&self, at: usize, len: usize) -> bool {
        self.check(at, len);
        let Some(file) = &self.file else {
            // SAFETY: in bounds by `check`; nobody refers to the range, says the caller.
            unsafe { discard(self.base, at, len) };
            return true;
        };
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        allocate(&file.file, punch, file.offset + at as u64, len).is_ok()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unmap(self.base, self.bytes);
    }
}

/// `fallocate(2)`; file systems without it are taken to have room.
fn allocate(file: &File, mode: libc::c_int, at: u64, len: usize) -> io::Result<()> {
    // SAFETY: fallocate touches no memory of this process; the file is open while it is borrowed.
    let result = unsafe {
        libc::fallocate(
            file.as_raw_fd(),
            mode,
            at as libc::off_t,
            len as libc::off_t,
        )
    };
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        _ if result == 0 => Ok(()),
        Some(libc::EOPNOTSUPP) if mode == 0 => Ok(()),
        _ => Err(error),
    }
}

#[cfg(not(miri))]
fn map(bytes: usize, pages: Pages, file: Option<&MemoryFile>) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let (flags, fd, offset) = match file {
        Some(file) => (libc::MAP_SHARED, file.file.as_raw_fd(), file.offset),
        None => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0),
    };
    let flags = flags | libc::MAP_NORESERVE;
    let offset = offset as libc::off_t;
    // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory. A file is locked by the
    // caller against other servers; another program that writes to the file breaks items, as one does that writes to
    // this process's memory.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, fd, offset) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let advice = match pages {
        Pages::Huge => libc::MADV_HUGEPAGE,
        Pages::Ordinary => libc::MADV_NOHUGEPAGE,
    };
    // SAFETY: the range was mapped just above. The result is ignored: a kernel without huge pages works as well.
    unsafe { libc::madvise(address, bytes, advice) };
    NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mmap returned null"))
}

#[cfg(not(miri))]
fn unmap(base: NonNull<u8>, bytes: usize) {
    // SAFETY: exactly the range that `map` returned, and the mapping that owned it is being dropped.
    unsafe { libc::munmap(base.as_ptr().cast(), bytes) };
}

/// # Safety
///
/// The range is inside a mapping, and nobody refers to it.
#[cfg(not(miri))]
unsafe fn discard(base: NonNull<u8>, at: usize, len: usize) {
    // SAFETY: the caller checked the range; private anonymous memory reads as zero after MADV_DONTNEED.
    let result = unsafe { libc::madvise(base.as_ptr().add(at).cast(), len, libc::MADV_DONTNEED) };
    assert_eq!(result, 0, "madvise(MADV_DONTNEED) of {len} bytes");
}

#[cfg(not(miri))]
fn populate(base: NonNull<u8>, at: usize, len: usize) -> io::Result<()> {
    // SAFETY: the caller checked the range.
    let address = unsafe { base.as_ptr().add(at) };
    loop {
        // SAFETY: as above; populating changes no byte of it.
        let result = unsafe { libc::madvise(address.cast(), len, libc::MADV_POPULATE_WRITE) };
        let error = io::Error::last_os_error();
        match error.kind() {
            _ if result == 0 => return Ok(()),
            // Pages that were populated before the signal are passed over quickly.
            io::ErrorKind::Interrupted => {}
            _ => return Err(error),
        }
    }
}

/// `mbind(2)`: from this node if possible.
const MPOL_PREFERRED: libc::c_int = 1;
/// Nodes that a mask has room for; the kernel's own limit is 1024.
const NODES_MAX: usize = 1024;

#[cfg(not(miri))]
fn prefer_this_node(base: NonNull<u8>, bytes: usize) {
    let (mut cpu, mut node) = (0_u32, 0_u32);
    let unused = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the kernel writes two integers, which live through the call.
    let result = unsafe { libc::syscall(libc::SYS_getcpu, &raw mut cpu, &raw mut node, unused) };
    if result != 0 || node as usize >= NODES_MAX {
        return;
    }
    const WORD_BITS: usize = libc::c_ulong::BITS as usize;
    let mut mask: [libc::c_ulong; NODES_MAX / WORD_BITS] = [0; _];
    mask[node as usize / WORD_BITS] = 1 << (node as usize % WORD_BITS);
    // SAFETY: a policy for the range of a mapping; it moves nothing. The mask lives through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            base.as_ptr(),
            bytes,
            MPOL_PREFERRED,
            mask.as_ptr(),
            // The kernel reads one bit less than it is told of.
            NODES_MAX + 1,
            0,
        )
    };
    // EPERM of a container's filter, ENOSYS of a kernel without nodes: nothing is lost by that.
    let _ = result;
}

/// Under Miri a mapping is a heap allocation.
#[cfg(miri)]
fn layout(bytes: usize) -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(bytes, 4096)
        .expect("a segment is smaller than the address space")
}

#[cfg(miri)]
fn map(bytes: usize, _: Pages, _: Option<&MemoryFile>) -> io::Result<NonNull<u8>> {
    // SAFETY: the layout has a size above 0.
    let address = unsafe { std::alloc::alloc_zeroed(layout(bytes)) };
    NonNull::new(address).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

#[cfg(miri)]
fn unmap(base: NonNull<u8>, bytes: usize) {
    // SAFETY: allocated by `map` with the same layout.
    unsafe { std::alloc::dealloc(base.as_ptr(), layout(bytes)) }
}

/// # Safety
///
/// The range is inside a mapping, and nobody refers to it.
#[cfg(miri)]
unsafe fn discard(base: NonNull<u8>, at: usize, len: usize) {
    // SAFETY: the caller checked the range.
    unsafe { base.as_ptr().add(at).write_bytes(0, len) }
}

#[cfg(miri)]
fn populate(_: NonNull<u8>, _: usize, _: usize) -> io::Result<()> {
    Ok(())
}

#[cfg(miri)]
fn prefer_this_node(_: NonNull<u8>, _: usize) {}

//! The descriptors that wake a reactor: an eventfd for the kernel to signal, a pipe for threads to write to.
//!
//! Threads get a pipe because an eventfd that is written to may not signal another eventfd on the spot: the ring's
//! signal to the parked executor would be put off to the next RCU grace period, some 15 ms (`eventfd_signal_allowed`).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::patience;

/// A new eventfd, at zero. Reads block: io_uring turns that into a wait of its own.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    // SAFETY: the descriptor was just created; no other code owns it.
    unsafe { adopt(fd) }.ok_or_else(io::Error::last_os_error)
}

/// A new pipe, as (end to read, end to write). Reads block, as those of the eventfd do; writes do not.
///
/// The kernel keeps the page of a pipe that has been read empty (`anon_pipe_buf_release`), for what is written next. So
/// something is written and read here, and a write to the empty pipe needs no memory later.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: two descriptors are written to a live array of two.
    let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both descriptors were just created; no other code owns them.
    let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    // SAFETY: sets a flag of an open descriptor.
    let result = unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut first = [0_u8; 8];
    signal(write.as_raw_fd());
    // SAFETY: writes at most eight bytes to a live array of eight. It does not block: the pipe holds so many.
    let count = unsafe { libc::read(read.as_raw_fd(), first.as_mut_ptr().cast(), first.len()) };
    match usize::try_from(count) {
        Ok(count) if count == first.len() => Ok((read, write)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes an eventfd, or the other end of a pipe, readable. If `fd` is full, it is readable already. A new pipe has no
/// page yet: while the kernel has no memory for it, the call is repeated for half a second.
pub(crate) fn signal(fd: RawFd) {
    let one = 1_u64.to_ne_bytes();
    // An error that remains says that nobody reads any more.
    let _ = patience::insist(|| {
        // SAFETY: writes eight bytes from a live array of eight.
        if unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) } >= 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            error => Err(error),
        }
    });
}

/// The descriptor that a system call or an accept returned; `None` if it is an error.
///
/// # Safety
/// `result` was returned by the kernel as a new descriptor of this process, and no code has taken it yet.
pub(crate) unsafe fn adopt(result: i32) -> Option<OwnedFd> {
    // SAFETY: the caller's promise; negative results are errors.
    (result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result) })
}

//! The system calls of the driver. Results are those of a completion: the call's result, or a negative errno.
//!
//! None of them is newer than Linux 4.5 (`EPOLLEXCLUSIVE`).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::operation::{SendEntry, SendWhat};

/// A new epoll instance.
pub(super) fn create() -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    unsafe { own(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }
}

/// A new counter, at zero, which neither reads nor writes block on.
pub(super) fn counter() -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    unsafe { own(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }
}

/// A new timer, which does not run.
pub(super) fn timer() -> io::Result<OwnedFd> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: no memory is passed.
    unsafe { own(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags)) }
}

/// Takes the result of a call that makes a descriptor.
///
/// # Safety
/// `fd` is such a result, and no other code has taken the descriptor.
unsafe fn own(fd: i32) -> io::Result<OwnedFd> {
    match fd {
        // SAFETY: the caller's promise: a new descriptor.
        0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has a timer fire after `first`, and then every `every` unless that is zero; stops it if `first` is zero.
pub(super) fn set_timer(timer: &OwnedFd, first: Duration, every: Duration) {
    let spec = |duration: Duration| libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    };
    let setting = libc::itimerspec {
        it_interval: spec(every),
        it_value: spec(first),
    };
    // SAFETY: reads a live `itimerspec`. It cannot fail for a timer and a setting that are valid.
    let result = unsafe {
        libc::timerfd_settime(
            timer.as_raw_fd(),
            0,
            &raw const setting,
            std::ptr::null_mut(),
        )
    };
    debug_assert_eq!(result, 0, "the setting is valid");
}

/// Acknowledges that a timer has fired, as a repeating timer needs to go on. False if the timer has not fired.
pub(super) fn acknowledge(timer: &OwnedFd) -> bool {
    let mut count = [0_u8; 8];
    // SAFETY: writes eight bytes to a live array of eight.
    let result = unsafe { libc::read(timer.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    result > 0
}

/// Adds, changes or deletes (`operation`) the events that are watched of a descriptor.
pub(super) fn control(
    epoll: &OwnedFd,
    operation: i32,
    fd: RawFd,
    events: u32,
    name: u64,
) -> Result<(), i32> {
    let mut event = libc::epoll_event { events, u64: name };
    // SAFETY: reads a live `epoll_event`.
    match unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd, &raw mut event) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

/// Fills `events` with what has happened, at most as much as there is room for. Sleeps for `timeout_ms` milliseconds at
/// most, without end if that is negative.
pub(super) fn wait(
    epoll: &OwnedFd,
    events: &mut Vec<libc::epoll_event>,
    timeout_ms: i32,
) -> io::Result<()> {
    events.clear();
    let room = i32::try_from(events.capacity()).unwrap_or(i32::MAX);
    // SAFETY: writes at most `room` events to the spare memory of a live vector.
    let count =
        unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, timeout_ms) };
    let Ok(count) = usize::try_from(count) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the kernel has written so many events, no more than there was room for.
    unsafe { events.set_len(count) };
    Ok(())
}

/// Makes accepts of a listening socket not block.
pub(super) fn set_nonblocking(fd: RawFd) {
    // SAFETY: asks for the flags of a descriptor, and sets one. If it fails so does the accept.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags >= 0 && flags & libc::O_NONBLOCK == 0 {
            libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
        }
    }
}

/// Accepts the next connection; returns its descriptor or a negative errno.
pub(super) fn accept(listener: RawFd) -> i32 {
    let nobody = std::ptr::null_mut();
    // SAFETY: no address is asked for.
    let fd = unsafe { libc::accept4(listener, nobody, std::ptr::null_mut(), libc::SOCK_CLOEXEC) };
    result(fd as isize)
}

/// Receives what there is, without waiting.
///
/// # Safety
/// There are `bytes` bytes at `into`, which nothing else reads or writes.
pub(super) unsafe fn recv(fd: RawFd, into: *mut u8, bytes: usize) -> i32 {
    // SAFETY: the caller's promise.
    result(unsafe { libc::recv(fd, into.cast(), bytes, libc::MSG_DONTWAIT) })
}

/// Receives a datagram, without waiting.
///
/// # Safety
/// Nothing else reads or writes the memory that the header points to.
pub(super) unsafe fn recv_message(fd: RawFd, header: &mut libc::msghdr) -> i32 {
    // SAFETY: the caller's promise.
    result(unsafe { libc::recvmsg(fd, header, libc::MSG_DONTWAIT) })
}

/// Sends as much as there is room for, without waiting.
///
/// # Safety
/// The memory that the entry points to is valid.
pub(super) unsafe fn send(entry: &SendEntry) -> i32 {
    let flags = entry.flags | libc::MSG_DONTWAIT;
    // SAFETY: the caller's promise.
    result(unsafe {
        match entry.what {
            SendWhat::Bytes(start, bytes) => {
                libc::send(entry.fd, start.cast(), bytes as usize, flags)
            }
            SendWhat::Message(header, _) => libc::sendmsg(entry.fd, header, flags),
        }
    })
}

/// The result of a call in the form of a completion's result. One send or receive has less than 2 GiB.
fn result(result: isize) -> i32 {
    match result {
        0.. => result as i32,
        _ => -errno(),
    }
}

fn errno() -> i32 {
    let error = io::Error::last_os_error();
    error.raw_os_error().unwrap_or(libc::EIO)
}

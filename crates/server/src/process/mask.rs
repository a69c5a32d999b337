//! Sets of signals, and their effect on a thread.

use std::mem::MaybeUninit;

/// Lets `signal` reach the calling thread, whatever mask the process was started with.
pub(super) fn unblock(signal: libc::c_int) {
    let mut set = empty();
    // SAFETY: the set is initialised; a signal that does not exist is refused.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: the set is initialised and lives through the call; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
}

/// A set without signals.
pub(super) fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set it is pointed to, and does not fail.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised by the line above.
    unsafe { set.assume_init() }
}

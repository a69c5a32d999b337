//! A kernel that does not take what it is given: the next calls of `io_uring_enter` on this thread fail or take a part.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

/// The behaviour of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call fails with this error, and nothing has happened.
    Fails(i32),
    /// The call takes so many entries at most.
    Takes(u32),
}

thread_local! {
    static NEXT: RefCell<VecDeque<Fault>> = const { RefCell::new(VecDeque::new()) };
}

/// Makes the next calls behave as `faults` says, one after the other.
pub(crate) fn inject(faults: &[Fault]) {
    NEXT.with_borrow_mut(|next| next.extend(faults));
}

/// The calls after this are as they should be.
pub(crate) fn clear() {
    NEXT.with_borrow_mut(VecDeque::clear);
}

/// How many of `count` entries a call may pass to the kernel.
pub(crate) fn entries(count: u32) -> io::Result<u32> {
    match NEXT.with_borrow_mut(VecDeque::pop_front) {
        Some(Fault::Fails(errno)) => Err(io::Error::from_raw_os_error(errno)),
        Some(Fault::Takes(most)) => Ok(count.min(most)),
        None => Ok(count),
    }
}

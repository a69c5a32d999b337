//! What a driver is asked to do, and what it reports: the words that both kinds of driver share.

use std::os::fd::RawFd;

use crate::user_data::UserData;

/// The buffer group of connections.
pub(crate) const RECV_GROUP: u16 = 0;
/// The buffer group of UDP sockets.
pub(crate) const DATAGRAM_GROUP: u16 = 1;

/// What a turn does when nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenIdle {
    /// It sleeps until something has happened.
    Sleep,
    /// It returns without events.
    Return,
}

/// How long [`Driver::enter`](crate::driver::Driver::enter) may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Submit only; completions are left alone.
    Submit,
    /// Submit and fetch what is ready.
    Poll,
    /// Submit and sleep until something completes.
    One,
    /// Submit and sleep until `want` completions, or until one when `usec` have passed (kernel 6.12).
    Batch { usec: u32, want: u32 },
}

/// The result of an operation. The flags are those of a completion of io_uring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    pub(crate) user_data: UserData,
    pub(crate) result: i32,
    pub(crate) flags: u32,
}

/// A send, of memory that stays where it is until the send has ended.
#[derive(Debug)]
pub(crate) struct SendEntry {
    pub(crate) fd: RawFd,
    pub(crate) what: SendWhat,
    pub(crate) flags: i32,
    /// A send that succeeds in full completes nothing.
    pub(crate) skips_success: bool,
    pub(crate) user_data: UserData,
}

/// The memory that a send sends.
#[derive(Debug)]
pub(crate) enum SendWhat {
    /// A start and a number of bytes.
    Bytes(*const u8, u32),
    /// The pieces of a message, and the number of bytes in all of them.
    Message(*const libc::msghdr, usize),
}

/// A flag of a completion: more of this operation will come.
pub(crate) const MORE: u32 = 1 << 1;

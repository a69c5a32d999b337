//! The driver's record of each descriptor: how its input is handled, and which events the kernel has been asked to
//! report.
//!
//! ```text
//!   streams, datagrams   edge-triggered: the kernel tells once, and `is_ready` remembers it until all has been read
//!   polls                once, and only if there is something now or later: the caller reads by itself
//!   listeners            level-triggered and exclusive: a socket that several shards share wakes one of them
//!   waiting sends        edge-triggered, asked for while there are any
//! ```
//!
//! Edge-triggered watching costs a request no call beside the wait and the read, and the kernel one look at the socket
//! instead of two. A read that does not fill its buffer has emptied the socket: input that comes later is reported
//! again. Only the end of a stream, an error and urgent data may be reported together with data that is read before
//! them, so after such a report the socket is read until nothing comes.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::os::fd::{OwnedFd, RawFd};

use crate::operation::SendEntry;
use crate::sockets::TokenHasher;
use crate::user_data::UserData;

use super::calls;

pub(super) const IN: u32 = libc::EPOLLIN as u32;
pub(super) const OUT: u32 = libc::EPOLLOUT as u32;
pub(super) const EDGE: u32 = libc::EPOLLET as u32;
const ONCE: u32 = libc::EPOLLONESHOT as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
/// Events that may remain after a read that does not fill its buffer.
pub(super) const SPECIAL: u32 =
    (libc::EPOLLRDHUP | libc::EPOLLPRI | libc::EPOLLHUP | libc::EPOLLERR) as u32;
/// The events that a reader needs.
pub(super) const READABLE: u32 = IN | SPECIAL;
/// The events that a waiting sender needs.
pub(super) const WRITABLE: u32 = OUT | (libc::EPOLLHUP | libc::EPOLLERR) as u32;

/// How the input of a descriptor is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Input is left alone.
    Nothing,
    /// Bytes go into receive buffers.
    Stream,
    /// The caller is told once that there is input, and reads it by itself.
    Poll,
    /// Datagrams go into receive buffers.
    Datagrams,
    /// Connections are accepted.
    Accept,
}

/// One descriptor.
pub(super) struct Watch {
    pub(super) fd: RawFd,
    pub(super) reading: Reading,
    /// The user data of the completions of `reading`.
    pub(super) user_data: UserData,
    /// The events that the kernel reports; 0 if it reports none any more.
    mask: u32,
    is_registered: bool,
    /// There may be something to read that the kernel does not report again.
    pub(super) is_ready: bool,
    /// A read that does not fill its buffer may not have emptied the socket.
    pub(super) reads_all: bool,
    /// The descriptor is listed: it is to be read again.
    pub(super) is_listed: bool,
    /// Sends that wait for room, first come first served: at most one of a stream, any number of a UDP socket.
    pub(super) waiting: VecDeque<SendEntry>,
}

impl Watch {
    fn new(fd: RawFd) -> Watch {
        Watch {
            fd,
            reading: Reading::Nothing,
            user_data: UserData::IGNORED,
            mask: 0,
            is_registered: false,
            is_ready: false,
            reads_all: false,
            is_listed: false,
            waiting: VecDeque::new(),
        }
    }

    /// The events that the kernel should report.
    fn wanted(&self) -> u32 {
        let reads = match self.reading {
            Reading::Nothing => EDGE,
            Reading::Stream => IN | SPECIAL | EDGE,
            Reading::Poll => IN | ONCE,
            Reading::Datagrams => IN | EDGE,
            Reading::Accept => IN | EXCLUSIVE,
        };
        match self.waiting.is_empty() {
            true => reads,
            false => reads | OUT,
        }
    }

    /// Whether the kernel should be asked anew. That is so if it reports room that no send waits for, or input that is
    /// not read (as it has just done if `is_unwanted`), or nothing although a send waits.
    pub(super) fn tells_wrong(&self, is_unwanted: bool) -> bool {
        let waits = !self.waiting.is_empty();
        let reads = self.reading != Reading::Nothing;
        (is_unwanted && self.mask & IN != 0)
            || (self.mask & OUT != 0) != waits
            || (self.mask == 0 && reads)
    }

    /// Notes that the kernel has reported something. After a poll it reports nothing more of this descriptor.
    pub(super) fn note_told(&mut self) {
        if self.mask & ONCE != 0 {
            self.mask = 0;
        }
    }
}

/// When the kernel is asked to report events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// If it does not report the wanted ones already.
    IfChanged,
    /// In any case, so that it looks anew.
    Anew,
}

/// All descriptors by index; the index is a descriptor's name in the kernel's events.
#[derive(Default)]
pub(super) struct Watches {
    slots: Vec<Option<Watch>>,
    free: Vec<usize>,
    by_fd: HashMap<u64, usize, BuildHasherDefault<TokenHasher>>,
}

impl Watches {
    /// The index of a descriptor; makes a record if there is none.
    pub(super) fn of(&mut self, fd: RawFd) -> usize {
        *self.by_fd.entry(key(fd)).or_insert_with(|| {
            let index = self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            self.slots[index] = Some(Watch::new(fd));
            index
        })
    }

    /// The index of a descriptor; `None` if it has no record.
    pub(super) fn find(&self, fd: RawFd) -> Option<usize> {
        self.by_fd.get(&key(fd)).copied()
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Watch> {
        self.slots.get_mut(index)?.as_mut()
    }

    /// Has the kernel report the wanted events, if it does not do so already or if it is to look anew. The kernel then
    /// looks now, and reports with the next wait if there is something already. Returns whether the kernel was asked.
    pub(super) fn sync(&mut self, epoll: &OwnedFd, index: usize, ask: Ask) -> Result<bool, i32> {
        let Some(watch) = self.get(index) else {
            return Ok(false);
        };
        let wanted = watch.wanted();
        if watch.is_registered && watch.mask == wanted && ask == Ask::IfChanged {
            return Ok(false);
        }
        let operation = match watch.is_registered {
            true => libc::EPOLL_CTL_MOD,
            false => libc::EPOLL_CTL_ADD,
        };
        calls::control(epoll, operation, watch.fd, wanted, index as u64)?;
        watch.mask = wanted;
        watch.is_registered = true;
        watch.is_ready = false;
        Ok(true)
    }

    /// Forgets a descriptor, of which the kernel then reports nothing more.
    pub(super) fn remove(&mut self, epoll: &OwnedFd, fd: RawFd) {
        let Some(index) = self.by_fd.remove(&key(fd)) else {
            return;
        };
        if let Some(watch) = self.slots[index].take()
            && watch.is_registered
        {
            // The call fails if the descriptor has been closed elsewhere; then there is nothing to do.
            let _ = calls::control(epoll, libc::EPOLL_CTL_DEL, fd, 0, 0);
        }
        self.free.push(index);
    }
}

fn key(fd: RawFd) -> u64 {
    u64::from(fd.unsigned_abs())
}

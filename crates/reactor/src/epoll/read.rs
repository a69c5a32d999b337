//! Taking in what has come: bytes, datagrams, connections.
//!
//! A descriptor is read a few times in a turn at most. If there is more to read, the descriptor is listed, and read
//! again in the next turn, so that a peer who sends much does not keep the others waiting.

use std::os::fd::RawFd;

use crate::operation::{DATAGRAM_GROUP, MORE, RECV_GROUP};
use crate::user_data::UserData;

use super::supply::Space;
use super::watch::{Ask, Reading, Watch};
use super::{Epoll, calls};

/// The most receive buffers that one stream fills in a turn.
const READS_MAX: usize = 8;
/// The most datagrams that are received from one socket in a turn.
const DATAGRAMS_MAX: usize = 64;
/// The most connections that are accepted from one listener in a turn.
const ACCEPTS_MAX: usize = 64;
/// A flag of a completion: it carries a buffer, whose number is in the upper half of the flags.
const BUFFER: u32 = 1 << 0;
const BUFFER_SHIFT: u32 = 16;

/// The result of one attempt to read.
enum Read {
    /// Something was read, and there may be more.
    Some,
    /// Something or nothing was read, and now there is no more.
    All,
    /// The operation has ended with this result.
    Ended(i32),
}

/// The head of a datagram's buffer, as io_uring writes it (`struct io_uring_recvmsg_out`). The sender's address and the
/// bytes follow.
#[repr(C)]
struct DatagramHead {
    name_bytes: u32,
    control_bytes: u32,
    payload_bytes: u32,
    flags: u32,
}

impl Epoll {
    /// From now on input of `fd` is handled as `reading` says.
    pub(super) fn begin_reading(&mut self, fd: RawFd, reading: Reading, user_data: UserData) {
        let index = self.watches.of(fd);
        let Some(watch) = self.watches.get(index) else {
            return;
        };
        debug_assert_eq!(watch.reading, Reading::Nothing, "one receive at a time");
        (watch.reading, watch.user_data) = (reading, user_data);
        let ask = match reading {
            Reading::Poll => Ask::Anew,
            _ => Ask::IfChanged,
        };
        match self.watches.sync(&self.epoll, index, ask) {
            Ok(true) => {}
            Ok(false) => self.list(index),
            Err(errno) => {
                if let Some(watch) = self.watches.get(index) {
                    watch.reading = Reading::Nothing;
                }
                self.complete(user_data, -errno, 0);
            }
        }
    }

    /// Ends the operation that `target` names, if it has not ended.
    pub(super) fn cancel_now(&mut self, fd: RawFd, target: UserData) {
        let Some(index) = self.watches.find(fd) else {
            return;
        };
        let Some(watch) = self.watches.get(index) else {
            return;
        };
        if watch.reading != Reading::Nothing && watch.user_data == target {
            // The kernel may report once more, and is then asked to stop.
            let was = std::mem::replace(&mut watch.reading, Reading::Nothing);
            if was == Reading::Accept {
                self.watches.remove(&self.epoll, fd);
            }
            return self.complete(target, -libc::ECANCELED, 0);
        }
        let before = watch.waiting.len();
        watch.waiting.retain(|entry| entry.user_data != target);
        if watch.waiting.len() < before {
            self.complete(target, -libc::ECANCELED, 0);
        }
    }

    /// Lists a descriptor: it is read with the next wait, whatever the kernel reports.
    fn list(&mut self, index: usize) {
        if let Some(watch) = self.watches.get(index)
            && watch.is_ready
            && !std::mem::replace(&mut watch.is_listed, true)
        {
            self.listed.push(index);
        }
    }

    /// Reads the descriptors that were not read to the end.
    pub(super) fn go_on(&mut self) {
        let listed = std::mem::take(&mut self.listed);
        for index in listed {
            if let Some(watch) = self.watches.get(index)
                && std::mem::take(&mut watch.is_listed)
            {
                self.read(index);
            }
        }
    }

    /// Reads a descriptor, as its `reading` says, if there may be something to read.
    pub(super) fn read(&mut self, index: usize) {
        let Some(watch) = self.watches.get(index) else {
            return;
        };
        let (reading, is_ready) = (watch.reading, watch.is_ready);
        let attempts = match reading {
            Reading::Stream if is_ready => READS_MAX,
            Reading::Datagrams if is_ready => DATAGRAMS_MAX,
            Reading::Accept => ACCEPTS_MAX,
            _ => return,
        };
        for _ in 0..attempts {
            match self.read_once(index, reading) {
                Read::Some => {}
                Read::All => return self.note_emptied(index),
                Read::Ended(result) => return self.end_reading(index, result),
            }
        }
        self.list(index);
    }

    fn read_once(&mut self, index: usize, reading: Reading) -> Read {
        let Some(watch) = self.watches.get(index) else {
            return Read::All;
        };
        let (fd, user_data, reads_all) = (watch.fd, watch.user_data, watch.reads_all);
        match reading {
            Reading::Accept => self.accept_once(fd, user_data),
            Reading::Datagrams => self.receive_datagram(fd, user_data),
            _ => self.receive(fd, user_data, reads_all),
        }
    }

    fn receive(&mut self, fd: RawFd, user_data: UserData, reads_all: bool) -> Read {
        let Some(space) = self.supplies[usize::from(RECV_GROUP)].take() else {
            return Read::Ended(-libc::ENOBUFS);
        };
        // SAFETY: the buffer is the driver's until the completion that carries it.
        let result = unsafe { calls::recv(fd, space.start, space.bytes) };
        if result <= 0 {
            self.supplies[usize::from(RECV_GROUP)].give_back(space);
            return after_failure(result);
        }
        let is_filled = result as usize == space.bytes;
        self.complete_with(user_data, result, &space);
        match is_filled || reads_all {
            true => Read::Some,
            false => Read::All,
        }
    }

    fn receive_datagram(&mut self, fd: RawFd, user_data: UserData) -> Read {
        let group = usize::from(DATAGRAM_GROUP);
        let Some(space) = self.supplies[group].take() else {
            return Read::Ended(-libc::ENOBUFS);
        };
        let result = receive_into(fd, &space);
        if result < 0 {
            self.supplies[group].give_back(space);
            return after_failure(result);
        }
        self.complete_with(user_data, result, &space);
        Read::Some
    }

    fn accept_once(&mut self, fd: RawFd, user_data: UserData) -> Read {
        match calls::accept(fd) {
            accepted @ 0.. => {
                self.complete(user_data, accepted, MORE);
                Read::Some
            }
            failed => after_failure(failed),
        }
    }

    /// Notes that a descriptor has nothing more to read; the kernel reports if more comes.
    fn note_emptied(&mut self, index: usize) {
        if let Some(watch) = self.watches.get(index) {
            watch.is_ready = false;
        }
    }

    /// Ends the operation with `result`. Unread input may still be there.
    fn end_reading(&mut self, index: usize, result: i32) {
        let Some(Watch {
            reading,
            user_data,
            fd,
            ..
        }) = self.watches.get(index)
        else {
            return;
        };
        let (was, user_data, fd) = (*reading, *user_data, *fd);
        *reading = Reading::Nothing;
        if was == Reading::Accept {
            self.watches.remove(&self.epoll, fd);
        }
        self.complete(user_data, result, 0);
    }

    fn complete_with(&mut self, user_data: UserData, result: i32, space: &Space) {
        let flags = MORE | BUFFER | u32::from(space.index) << BUFFER_SHIFT;
        self.complete(user_data, result, flags);
    }
}

/// Meaning of a failed attempt. An interrupted attempt is made again.
fn after_failure(result: i32) -> Read {
    match -result {
        libc::EINTR => Read::Some,
        libc::EAGAIN => Read::All,
        _ => Read::Ended(result),
    }
}

/// Receives a datagram as io_uring would write it into the buffer; returns how many bytes of the buffer are in use, or
/// a negative errno.
fn receive_into(fd: RawFd, space: &Space) -> i32 {
    const HEAD: usize = size_of::<DatagramHead>();
    let mut header = crate::peer::empty_header();
    let name_bytes = header.msg_namelen as usize;
    let payload_room = space.bytes - HEAD - name_bytes;
    let name = space.start.wrapping_add(HEAD);
    let mut piece = libc::iovec {
        iov_base: name.wrapping_add(name_bytes).cast(),
        iov_len: payload_room,
    };
    header.msg_name = name.cast();
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    // SAFETY: the pieces lie in the buffer, one behind the other, and it is the driver's until its completion.
    let result = unsafe { calls::recv_message(fd, &mut header) };
    if result < 0 {
        return result;
    }
    let head = DatagramHead {
        name_bytes: header.msg_namelen,
        control_bytes: 0,
        payload_bytes: result as u32,
        flags: header.msg_flags as u32,
    };
    // SAFETY: the buffer begins with room for a head, aligned or not.
    unsafe { space.start.cast::<DatagramHead>().write_unaligned(head) };
    (HEAD + name_bytes) as i32 + result
}

#[cfg(test)]
mod tests {
    use io_uring::cqueue;

    use super::*;

    #[test]
    fn flags_are_those_of_a_completion() {
        let flags = MORE | BUFFER | 517 << BUFFER_SHIFT;
        assert!(cqueue::more(flags));
        assert_eq!(cqueue::buffer_select(flags), Some(517));
        assert_eq!(cqueue::buffer_select(MORE), None);
        assert!(!cqueue::more(BUFFER));
    }
}

//! Sends: tried at once, and again when the socket has room.

use crate::operation::{SendEntry, SendWhat};

use super::watch::Ask;
use super::{Epoll, calls};

impl Epoll {
    /// Sends the bytes that there is room for. The rest waits for room, if the entry says so.
    pub(super) fn try_send(&mut self, entry: SendEntry) {
        let result = send_now(&entry);
        let waits = entry.flags & libc::MSG_DONTWAIT == 0;
        if waits && result == -libc::EAGAIN {
            self.wait_for_room(entry);
        } else if !entry.skips_success || !is_whole(&entry, result) {
            self.complete(entry.user_data, result, 0);
        }
    }

    fn wait_for_room(&mut self, entry: SendEntry) {
        let (index, user_data) = (self.watches.of(entry.fd), entry.user_data);
        let Some(watch) = self.watches.get(index) else {
            return;
        };
        watch.waiting.push_back(entry);
        if let Err(errno) = self.watches.sync(&self.epoll, index, Ask::IfChanged) {
            if let Some(watch) = self.watches.get(index) {
                watch.waiting.pop_back();
            }
            self.complete(user_data, -errno, 0);
        }
    }

    /// Goes on with the sends that have waited, now that there is room.
    pub(super) fn send_waiting(&mut self, index: usize) {
        while let Some(watch) = self.watches.get(index)
            && let Some(entry) = watch.waiting.front()
        {
            let (result, user_data) = (send_now(entry), entry.user_data);
            if result == -libc::EAGAIN {
                return;
            }
            watch.waiting.pop_front();
            self.complete(user_data, result, 0);
        }
    }
}

/// Makes one attempt to send; an interrupted attempt is made again.
fn send_now(entry: &SendEntry) -> i32 {
    loop {
        // SAFETY: the code that queued the entry keeps the memory that the entry points to until its completion.
        let result = unsafe { calls::send(entry) };
        if result != -libc::EINTR {
            return result;
        }
    }
}

fn is_whole(entry: &SendEntry, result: i32) -> bool {
    let bytes = match entry.what {
        SendWhat::Bytes(_, bytes) => bytes as usize,
        SendWhat::Message(_, bytes) => bytes,
    };
    usize::try_from(result).is_ok_and(|sent| sent == bytes)
}

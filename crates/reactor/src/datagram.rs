//! UDP: a multishot receive per socket into buffers of its own, and replies of one or many datagrams.
//!
//! ```text
//!   buffer of the ring:   | io_uring_recvmsg_out | peer's address | datagram ........ |
//!
//!   reply:                bytes   | datagram 0 | datagram 1 | ... | last |  one buffer, `step` bytes each but the last
//!                         packets | msghdr, iovec, address | ...               one send each
//! ```
//!
//! Sends follow the rule of `send.rs`: a first attempt has `MSG_DONTWAIT` and no completion if it succeeds, so after a
//! turn that submitted everything the sends without a completion are out. A send that finds the socket full is
//! submitted once more and waits in the kernel for room. The bytes that wait are bounded (`datagram_bytes_max`): beyond
//! that bound replies are not taken, as UDP may lose them.

use std::os::fd::RawFd;

use io_uring::types::RecvMsgOut;

use crate::buffers::{Buffers, RecvBuf};
use crate::config::Io;
use crate::driver::Driver;
use crate::operation::{DATAGRAM_GROUP, SendEntry, SendWhat};
use crate::peer::{PEER_BYTES_MAX, Peer, empty_header};
use crate::token::Token;
use crate::user_data::{Kind, UserData};

/// Bytes of one receive buffer: the largest datagram, the head that the kernel writes before it, rounded up to whole
/// pages.
const BUFFER_BYTES: u32 = 17 * 4096;
const _: () = assert!(BUFFER_BYTES as usize > 65_535 + 16 + PEER_BYTES_MAX);
/// A slot keeps the memory of at most this many packets for its next reply.
const PACKETS_KEPT: usize = 64;

const FLAGS_WAITING: i32 = libc::MSG_NOSIGNAL;
const FLAGS_INLINE: i32 = FLAGS_WAITING | libc::MSG_DONTWAIT;

/// A datagram in a buffer of the reactor. Give it back with [`crate::Reactor::recycle_datagram`].
#[derive(Debug)]
#[must_use = "a receive buffer goes back with Reactor::recycle_datagram"]
pub struct DatagramBuf(RecvBuf);

/// A receiving socket.
struct Socket {
    token: Token,
    fd: RawFd,
    is_armed: bool,
    is_stopped: bool,
}

/// Meaning of the end of a receive for the caller.
pub(crate) enum Ended {
    /// The receive goes on, or was asked to stop.
    Expected,
    /// The socket is of no use any more, for this errno.
    Failed(i32),
}

/// The UDP side of a reactor; empty, and without buffers, until a socket is received from.
pub(crate) struct Datagrams {
    sockets: Vec<Socket>,
    buffers: Option<Buffers>,
    /// The header given to the kernel with each receive: it tells how many bytes to leave for an address.
    header: libc::msghdr,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots whose submission has not been settled.
    fresh: Vec<u32>,
    /// Bytes of all replies that the kernel has not taken yet.
    queued_bytes: usize,
    queued_bytes_max: usize,
}

/// One reply.
#[derive(Default)]
struct Slot {
    fd: RawFd,
    bytes: Vec<u8>,
    packets: Vec<Packet>,
    /// Packets that wait in the kernel for room.
    waiting: usize,
    is_fresh: bool,
}

/// One datagram of a reply, as the kernel reads it. A packet stays in place while the kernel may read it.
struct Packet {
    header: libc::msghdr,
    piece: libc::iovec,
    peer: Peer,
}

impl Datagrams {
    pub(crate) fn new(queued_bytes_max: usize) -> Datagrams {
        Datagrams {
            sockets: Vec::new(),
            buffers: None,
            header: empty_header(),
            slots: Vec::new(),
            free: Vec::new(),
            fresh: Vec::new(),
            queued_bytes: 0,
            queued_bytes_max,
        }
    }

    /// Receives from `fd` as `token` until `stop`.
    pub(crate) fn start(
        &mut self,
        driver: &mut Driver,
        fd: RawFd,
        token: Token,
        (io, buffers): (Io, u16),
    ) -> std::io::Result<()> {
        if self.buffers.is_none() {
            let mut buffers = Buffers::new(io, buffers, BUFFER_BYTES)?;
            buffers.register(driver, DATAGRAM_GROUP)?;
            self.buffers = Some(buffers);
        }
        if self.sockets.iter().all(|socket| socket.token != token) {
            self.sockets.push(Socket {
                token,
                fd,
                is_armed: true,
                is_stopped: false,
            });
            driver.recv_datagrams(fd, UserData::token(Kind::RecvDatagram, token));
        }
        Ok(())
    }

    /// Receives no more from the socket of `token`.
    pub(crate) fn stop(&mut self, driver: &mut Driver, token: Token) {
        for socket in self.sockets.iter_mut().filter(|it| it.token == token) {
            socket.is_stopped = true;
            if socket.is_armed {
                driver.cancel(socket.fd, UserData::token(Kind::RecvDatagram, token));
            }
        }
    }

    /// Whether a receive is with the kernel.
    pub(crate) fn are_armed(&self) -> bool {
        self.sockets.iter().any(|socket| socket.is_armed)
    }

    /// Gives the kernel what the caller gave back, and receives again where buffers had run out.
    pub(crate) fn prepare(&mut self, driver: &mut Driver) {
        let Some(buffers) = &mut self.buffers else {
            return;
        };
        buffers.publish(driver);
        if buffers.available() == 0 {
            return;
        }
        for socket in &mut self.sockets {
            if !socket.is_armed && !socket.is_stopped {
                socket.is_armed = true;
                driver.recv_datagrams(socket.fd, UserData::token(Kind::RecvDatagram, socket.token));
            }
        }
    }

    /// A datagram has come into buffer `index`.
    pub(crate) fn received(&mut self, index: u16, len: u32) -> Option<DatagramBuf> {
        let buffers = self.buffers.as_mut()?;
        Some(DatagramBuf(buffers.received(index, len)))
    }

    /// The receive of `token` has ended.
    pub(crate) fn ended(&mut self, token: Token, result: i32) -> Ended {
        let Some(socket) = self.sockets.iter_mut().find(|it| it.token == token) else {
            return Ended::Expected;
        };
        socket.is_armed = false;
        // A receive that ran out of buffers goes on when some are back, any other in the next turn.
        match -result {
            libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN | libc::ENOMEM => {
                Ended::Expected
            }
            ..=0 => Ended::Expected,
            errno => {
                socket.is_stopped = true;
                Ended::Failed(errno)
            }
        }
    }

    /// The sender and the bytes of a datagram; `None` if the kernel had to cut it, or its sender has no address.
    pub(crate) fn open(&self, buf: &DatagramBuf) -> Option<(Peer, &[u8])> {
        let bytes = self.buffers.as_ref()?.bytes(&buf.0);
        let message = RecvMsgOut::parse(bytes, &self.header).ok()?;
        if message.is_payload_truncated() || message.name_data().is_empty() {
            return None;
        }
        // A borrow of the buffer, not of `message`.
        let start = bytes.len() - message.payload_data().len();
        Some((Peer::new(message.name_data()), &bytes[start..]))
    }

    /// Gives a buffer back.
    pub(crate) fn recycle(&mut self, buf: DatagramBuf) {
        if let Some(buffers) = &mut self.buffers {
            buffers.recycle(buf.0);
        }
    }

    /// The socket of `token`; sockets are never forgotten.
    fn descriptor(&self, token: Token) -> Option<RawFd> {
        let socket = self.sockets.iter().find(|it| it.token == token)?;
        Some(socket.fd)
    }

    /// Queues a reply, `step` bytes a datagram; gives the bytes back if too much waits already.
    pub(crate) fn send(
        &mut self,
        driver: &mut Driver,
        token: Token,
        peer: &Peer,
        bytes: Vec<u8>,
        step: usize,
    ) -> Result<(), Vec<u8>> {
        let Some(fd) = self.descriptor(token) else {
            return Err(bytes);
        };
        if bytes.is_empty() || self.queued_bytes + bytes.len() > self.queued_bytes_max {
            return Err(bytes);
        }
        self.queued_bytes += bytes.len();
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        self.fresh.push(index);
        let slot = &mut self.slots[index as usize];
        (slot.fd, slot.bytes, slot.is_fresh) = (fd, bytes, true);
        slot.cut(peer, step);
        for packet in 0..slot.packets.len() {
            let id = SendId {
                slot: index,
                packet,
                waited: false,
            };
            slot.submit(driver, &id);
        }
        Ok(())
    }

    /// A send has a completion: the send failed, or it waited. Returns the buffer of a reply that has ended with this
    /// send.
    pub(crate) fn complete(
        &mut self,
        driver: &mut Driver,
        payload: u64,
        result: i32,
    ) -> Option<Vec<u8>> {
        let SendId {
            slot: index,
            packet,
            waited,
        } = SendId::unpack(payload);
        let slot = &mut self.slots[index as usize];
        if waited {
            slot.waiting -= 1;
        } else if -result == libc::EAGAIN {
            slot.waiting += 1;
            let id = SendId {
                slot: index,
                packet,
                waited: true,
            };
            slot.submit(driver, &id);
        }
        // Any other failure loses this datagram, as UDP permits.
        self.end_if_done(index)
    }

    /// Ends the replies whose datagrams are all out. To be called only when the kernel has taken every entry and every
    /// completion has been looked at.
    pub(crate) fn settle(&mut self, mut done: impl FnMut(Vec<u8>)) {
        let mut fresh = std::mem::take(&mut self.fresh);
        for index in fresh.drain(..) {
            self.slots[index as usize].is_fresh = false;
            if let Some(buffer) = self.end_if_done(index) {
                done(buffer);
            }
        }
        self.fresh = fresh;
    }

    fn end_if_done(&mut self, index: u32) -> Option<Vec<u8>> {
        let slot = &mut self.slots[index as usize];
        if slot.is_fresh || slot.waiting > 0 {
            return None;
        }
        slot.packets.clear();
        slot.packets.shrink_to(PACKETS_KEPT);
        let bytes = std::mem::take(&mut slot.bytes);
        self.queued_bytes -= bytes.len();
        self.free.push(index);
        Some(bytes)
    }
}

impl Slot {
    /// Makes a packet of each `step` bytes.
    fn cut(&mut self, peer: &Peer, step: usize) {
        self.packets.clear();
        self.packets
            .extend(self.bytes.chunks(step).map(|piece| Packet {
                header: empty_header(),
                piece: libc::iovec {
                    iov_base: piece.as_ptr().cast_mut().cast(),
                    iov_len: piece.len(),
                },
                peer: *peer,
            }));
        // The packets stay where they are from here on: now they can point to themselves.
        for packet in &mut self.packets {
            packet.header.msg_name = (&raw mut packet.peer.address).cast();
            packet.header.msg_namelen = packet.peer.length;
            packet.header.msg_iov = &raw mut packet.piece;
            packet.header.msg_iovlen = 1;
        }
    }

    /// Submits the send that `id` names.
    fn submit(&self, driver: &mut Driver, id: &SendId) {
        let Packet { header, piece, .. } = &self.packets[id.packet];
        let entry = SendEntry {
            fd: self.fd,
            what: SendWhat::Message(&raw const *header, piece.iov_len),
            flags: if id.waited {
                FLAGS_WAITING
            } else {
                FLAGS_INLINE
            },
            skips_success: !id.waited,
            user_data: UserData::send_datagram(id.pack()),
        };
        // SAFETY: the entry points to the slot's packets, and the packets to the slot's bytes. Neither is moved or
        // freed before `end_if_done` finds that no packet is with the kernel. A packet that waits leaves the kernel
        // with its completion; any other has left it after `settle` of a turn that submitted everything. Heap memory of
        // a `Vec` stays put when the slot moves.
        unsafe { driver.send(entry) }
    }
}

/// Names a datagram on its way: `waited (1 bit) | packet (23 bits) | slot (32 bits)`.
struct SendId {
    slot: u32,
    packet: usize,
    /// It found the socket full once, and waits in the kernel for room.
    waited: bool,
}

impl SendId {
    fn pack(&self) -> u64 {
        u64::from(self.waited) << 55 | (self.packet as u64) << 32 | u64::from(self.slot)
    }

    fn unpack(payload: u64) -> SendId {
        SendId {
            slot: payload as u32,
            packet: (payload >> 32) as usize & ((1 << 23) - 1),
            waited: payload >> 55 & 1 == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sends_pack_and_unpack() {
        for (slot, packet, waited) in [(0, 0, false), (u32::MAX, 65_534, true), (7, 1, true)] {
            let id = SendId::unpack(
                SendId {
                    slot,
                    packet,
                    waited,
                }
                .pack(),
            );
            assert_eq!((id.slot, id.packet, id.waited), (slot, packet, waited));
        }
    }
}

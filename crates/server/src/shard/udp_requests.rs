//! The senders of request datagrams that are not answered yet, and the bytes that their networks may still be sent.

use std::net::IpAddr;

use corecached_engine::Seconds;
use corecached_protocol::udp;
use corecached_reactor::{Insert, Peer};

use super::udp_rate::UdpRate;

/// Most request datagrams of a shard that wait for replies of other shards; further ones are dropped.
const OPEN_MAX: usize = 1024;

/// The sender of a datagram, and the request id that its reply begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) peer: Peer,
    pub(super) request: udp::RequestId,
}

impl Sender {
    fn ip(&self) -> Option<IpAddr> {
        Some(self.peer.address()?.ip())
    }
}

/// The UDP side of a shard.
pub(super) struct UdpRequests {
    /// The senders, by the slot of a [`Link::Datagram`](crate::conn::Link::Datagram).
    senders: Vec<Sender>,
    free: Vec<u32>,
    rate: UdpRate,
    /// Values in slab memory that have been copied into datagrams.
    copied: Vec<Insert>,
}

impl UdpRequests {
    pub(super) fn new(rate: UdpRate) -> UdpRequests {
        UdpRequests {
            senders: Vec::new(),
            free: Vec::new(),
            rate,
            copied: Vec::new(),
        }
    }

    /// Keeps a sender until its request is answered; `None` if too many wait.
    pub(super) fn open(&mut self, sender: Sender) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            self.senders[slot as usize] = sender;
            return Some(slot);
        }
        let slot = self.senders.len();
        (slot < OPEN_MAX).then(|| {
            self.senders.push(sender);
            slot as u32
        })
    }

    /// Whether values that have been copied into datagrams wait to be unpinned.
    pub(super) fn has_copied(&self) -> bool {
        !self.copied.is_empty()
    }

    /// Takes the values that have been copied into datagrams.
    pub(super) fn take_copied(&mut self) -> Vec<Insert> {
        std::mem::take(&mut self.copied)
    }

    /// Forgets a sender.
    pub(super) fn close(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// The sender in a slot.
    pub(super) fn sender(&self, slot: u32) -> Sender {
        self.senders[slot as usize]
    }

    /// Whether a reply of `bytes` bytes is too large for the sender's network.
    pub(super) fn refuses(&self, sender: Sender, bytes: usize) -> bool {
        let is_refused = |ip| self.rate.is_too_large(ip, bytes);
        sender.ip().is_some_and(is_refused)
    }

    /// Whether the sender's network may be sent `wire_bytes` bytes now; if so, they are counted.
    pub(super) fn allows(&mut self, sender: Sender, wire_bytes: usize, now: Seconds) -> bool {
        let ip = sender.ip();
        ip.is_some_and(|ip| self.rate.take(ip, wire_bytes, now))
    }

    /// Keeps values that have been copied into datagrams until they can be unpinned.
    pub(super) fn copied(&mut self, inserts: &mut Vec<Insert>) {
        self.copied.append(inserts);
    }
}

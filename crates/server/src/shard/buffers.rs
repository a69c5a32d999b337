//! Buffers that a shard keeps between turns, so that a request in steady state allocates nothing.

use corecached_reactor::Reactor;

use crate::conn::{LANDING_BYTES, Sealing};
use crate::replies::ReplyBuffers;

/// Capacity in bytes above which buffers of encryption are freed after use.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

/// The buffers of one shard.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Buffers for replies.
    pub(super) reply_buffers: ReplyBuffers,
    /// A buffer for decrypted bytes.
    pub(super) scratch: Vec<u8>,
    /// A buffer for bytes that are read without the ring; empty until the first large value.
    landing: Vec<u8>,
    /// Buffers that encryption uses, and values that it has encrypted.
    pub(super) sealing: Sealing,
}

impl Buffers {
    /// Takes a buffer for the next replies from the reactor, if there is none.
    #[inline]
    pub(super) fn prepare(&mut self, reactor: &mut Reactor) {
        if self.reply_buffers.ready.is_none() {
            self.reply_buffers.ready = Some(reactor.take_buffer());
        }
    }

    /// Takes the buffer for bytes that are read without the ring.
    pub(super) fn take_landing(&mut self) -> Vec<u8> {
        let mut landing = std::mem::take(&mut self.landing);
        landing.resize(LANDING_BYTES, 0);
        landing
    }

    /// Takes back the buffer of [`Buffers::take_landing`].
    pub(super) fn give_landing(&mut self, landing: Vec<u8>) {
        self.landing = landing;
    }

    /// Whether values that the last turn has encrypted wait to be unpinned.
    pub(super) fn has_sealed(&self) -> bool {
        !self.sealing.inserts.is_empty()
    }

    /// Gives back the buffers that encryption has emptied; returns how many bytes of plaintext were sealed.
    pub(super) fn after_sealing(&mut self, reactor: &mut Reactor) -> usize {
        while let Some(buffer) = self.sealing.buffers.pop() {
            reactor.give_buffer(buffer);
        }
        for buffer in [&mut self.sealing.stage, &mut self.scratch] {
            if buffer.capacity() > BUFFER_BYTES_KEPT {
                *buffer = Vec::new();
            }
        }
        std::mem::take(&mut self.sealing.bytes)
    }

    /// Bytes of heap memory that the buffers hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.scratch.capacity()
            + self.landing.capacity()
            + self.sealing.stage.capacity()
            + self.reply_buffers.held_bytes()
    }
}

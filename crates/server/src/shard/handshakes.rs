//! What a shard does for TLS beside its loop: handshakes in small portions, and the clearing up after encryption.
//!
//! A handshake takes as long as some hundred requests: 0.1 ms with an ECDSA certificate, 0.8 ms with RSA of 2048 bits. If a
//! thousand clients connect at once, those who are connected should not wait for all of that: in each turn a few handshakes
//! go on, and the others wait in a queue, with no more than their first message in memory.

use super::Net;
use crate::cell::core::Core;

/// Handshakes that go on in one turn of the loop.
const HANDSHAKES_PER_TURN: usize = 2;
/// Buffers of encryption above this capacity are freed after use.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

impl Net {
    /// Goes on with the handshakes that have waited longest.
    pub(super) fn work_on_handshakes(&mut self, core: &mut Core) {
        for _ in 0..HANDSHAKES_PER_TURN {
            let Some(id) = self.handshakes.pop_front() else {
                return;
            };
            self.with_conn(id, core, |conn, buffers, cx| {
                conn.leave_handshake_queue();
                conn.receive(&[], buffers.scratch, cx);
            });
        }
    }

    /// Frees the values that were encrypted in the last turn, when the engine had been put down already.
    pub(super) fn unpin_sealed(&mut self, core: &mut Core) {
        if !self.sealing.inserts.is_empty() {
            let inserts = std::mem::take(&mut self.sealing.inserts);
            self.unpin(inserts, core);
        }
    }

    /// Gives back the buffers that encryption has emptied.
    pub(super) fn after_sealing(&mut self) {
        let written = std::mem::take(&mut self.sealing.bytes);
        self.shared
            .telemetry
            .of(self.id.0)
            .bytes_written
            .add(written as u64);
        while let Some(buffer) = self.sealing.buffers.pop() {
            self.reactor.give_buffer(buffer);
        }
        for buffer in [&mut self.sealing.stage, &mut self.scratch] {
            if buffer.capacity() > BUFFER_BYTES_KEPT {
                *buffer = Vec::new();
            }
        }
    }
}

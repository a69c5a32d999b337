//! TLS work of a shard beside its loop: handshakes in small portions, and freeing the values that were encrypted.
//!
//! A handshake takes as long as some hundred requests: 0.1 ms with an ECDSA certificate, 0.8 ms with RSA of 2048 bits.
//! If a thousand clients connect at once, the clients that are connected already should not wait for all their
//! handshakes. So in each turn a few handshakes go on; the others wait in a queue, with no more than their first
//! message in memory.

use super::Net;
use crate::lending::core::Core;

/// Handshakes that go on in one turn of the loop.
const HANDSHAKES_PER_TURN: usize = 2;

impl Net {
    /// Goes on with the handshakes that have waited longest.
    pub(super) fn work_on_handshakes(&mut self, core: &mut Core) {
        for _ in 0..HANDSHAKES_PER_TURN {
            let Some(id) = self.lists.next_handshake() else {
                return;
            };
            self.with_conn(id, core, |conn, buffers, cx| {
                conn.go_on_with_handshake(buffers.scratch, cx);
            });
        }
    }

    /// Frees the values that were encrypted in the last turn, after the engine had been put down.
    pub(super) fn unpin_sealed(&mut self, core: &mut Core) {
        if self.buffers.has_sealed() {
            let inserts = std::mem::take(&mut self.buffers.sealing.inserts);
            self.unpin(inserts, core);
        }
    }

    /// Gives back the buffers that encryption has emptied.
    pub(super) fn after_sealing(&mut self) {
        let written = self.buffers.after_sealing(&mut self.reactor);
        self.counters().bytes_written.add(written as u64);
    }
}

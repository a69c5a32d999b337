//! The one place where a connection meets the engine: it is given a [`Cx`], works, and is put on the lists that it
//! belongs to afterwards.
//!
//! ```text
//! received bytes    --+
//! input left over   --+--> with_conn: Cx { engine, router, shared, counters, buffers } --> after_input
//! a handshake's turn --+
//! a datagram        --+
//! ```

use corecached_reactor::Reactor;

use crate::conn::{Conn, Cx, KEYS_PER_TURN};
use crate::ids::ConnId;
use crate::lending::core::Core;

use super::Net;

/// The buffers that hold the bytes that a connection works on.
pub(super) struct InputBuffers<'a> {
    /// The reactor, which owns the receive buffers.
    pub(super) reactor: &'a Reactor,
    /// A buffer for decrypted bytes.
    pub(super) scratch: &'a mut Vec<u8>,
}

impl Net {
    /// Lets a connection work with the shard's own engine. Returns `None` if the connection is gone.
    ///
    /// Each caller has a copy of this function, with its `work` compiled into it: the request path pays nothing for the
    /// code being in one place.
    #[inline]
    pub(super) fn with_conn<T>(
        &mut self,
        id: ConnId,
        core: &mut Core,
        work: impl FnOnce(&mut Conn, InputBuffers<'_>, &mut Cx<'_>) -> T,
    ) -> Option<T> {
        let conn = self.conns.get_mut(id)?;
        let arrival = self.meter.arrival(conn.measured, &conn.facts());
        self.buffers.prepare(&mut self.reactor);
        self.router.push_for(conn.raw_fd());
        let mut cx = Cx {
            access: core.access(self.id, self.now, conn.raw_fd()),
            router: &mut self.router,
            shared: &self.shared,
            net: self.shared.telemetry.of(self.id.0),
            reply_buffers: &mut self.buffers.reply_buffers,
            tally: self.meter.tally(),
            output_bytes_max: self.conn_memory.output_bytes_max(),
            keys_left: KEYS_PER_TURN,
            has_long_turn: false,
        };
        let buffers = InputBuffers {
            reactor: &self.reactor,
            scratch: &mut self.buffers.scratch,
        };
        let done = work(conn, buffers, &mut cx);
        let counts = cx.tally.counts();
        let (mut place, facts) = (conn.measured, conn.facts());
        self.meter.worked(&mut place, (arrival, &facts), &counts);
        conn.measured = place;
        if self.meter.is_window_full() {
            self.mark();
        }
        self.after_input(id);
        Some(done)
    }
}

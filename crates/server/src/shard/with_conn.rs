//! The one place where a connection meets the engine: it gets what it works with, works, and is put on the lists that it
//! then belongs to.
//!
//! ```text
//! received bytes    --+
//! input left over   --+--> with_conn: Cx { engine, router, shared, counters, warm buffer } --> after_input
//! a handshake's turn --+
//! a datagram        --+
//! ```

use corecached_reactor::Reactor;

use crate::cell::ConnId;
use crate::conn::{Conn, Cx, KEYS_PER_TURN};

use super::Net;
use crate::cell::core::Core;

/// Where the bytes are that a connection works on.
pub(super) struct Buffers<'a> {
    /// Has the receive buffers.
    pub(super) reactor: &'a Reactor,
    /// A buffer to decrypt in.
    pub(super) scratch: &'a mut Vec<u8>,
}

impl Net {
    /// Lets a connection work with the shard's own engine. `None` if it is gone.
    ///
    /// Each caller has a copy of its own, so that what it does is compiled into it: the request path pays nothing for the
    /// code being in one place.
    #[inline]
    pub(super) fn with_conn<T>(
        &mut self,
        id: ConnId,
        core: &mut Core,
        work: impl FnOnce(&mut Conn, Buffers<'_>, &mut Cx<'_>) -> T,
    ) -> Option<T> {
        let conn = self.conns.get_mut(id)?;
        self.warm.prepare(&mut self.reactor);
        self.router.push_for(conn.raw_fd());
        let mut cx = Cx {
            access: core.access(self.id, self.now, conn.raw_fd()),
            router: &mut self.router,
            shared: &self.shared,
            net: self.shared.telemetry.of(self.id.0),
            spare: self.warm.spare.take(),
            output_bytes_max: self.holding.output_bytes_max(),
            keys_left: KEYS_PER_TURN,
            has_long_turn: false,
        };
        let buffers = Buffers {
            reactor: &self.reactor,
            scratch: &mut self.warm.scratch,
        };
        let done = work(conn, buffers, &mut cx);
        self.warm.spare = cx.spare.take();
        self.after_input(id);
        Some(done)
    }
}

//! The end of a shard, when the process is told to end: clients get the replies to what they have sent, for a while.
//!
//! ```text
//!   stopping --> listeners are given up, connections answer what they have received --> drained, or 2 s are over
//! ```

use std::time::{Duration, Instant};

use crate::route::stage::Stage;

use super::Net;

/// Time that the process, at its end, gives clients to take their replies.
const DRAIN_MAX: Duration = Duration::from_secs(2);

impl Net {
    /// Begins to end the shard once the process is told to end.
    pub(super) fn check_stopping(&mut self) {
        if self.is_ending() || !self.shared.globals.is_stopping() {
            return;
        }
        self.stopping_since = Some(Instant::now());
        self.handle().reaches(Stage::Ending);
        for listener in self.acceptor.listeners() {
            // Each of these two calls has an effect only on sockets of its own kind.
            self.reactor.stop_accept(listener.token());
            self.reactor.stop_datagrams(listener.token());
        }
        for id in self.conns.ids() {
            if let Some(conn) = self.conns.get_mut(id) {
                conn.end();
                self.after_input(id);
            }
        }
    }

    /// Whether the shard has begun to end.
    pub(super) fn is_ending(&self) -> bool {
        self.stopping_since.is_some()
    }

    /// Whether the shard has nothing left to do before the end of the process, or no more time for it. While the
    /// shard's ring still accepts connections, the port is not free.
    pub(super) fn is_drained(&self) -> bool {
        let is_quiet =
            || self.conns.len() == 0 && self.router.is_idle() && !self.reactor.is_listening();
        self.stopping_since
            .is_some_and(|since| is_quiet() || since.elapsed() > DRAIN_MAX)
    }
}

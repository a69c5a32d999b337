//! The memory of a shard's connections. In each turn it is counted for the connections that anything happened to; it is
//! published for `stats memory`, and kept below `-o conn_mem_limit`.
//! ```text
//!   0                      a half                      the limit, of all shards
//!   |--- 256 KiB each -----|--- 16 KiB of replies each ----|--- the largest are closed ...
//! ```
//!
//! The memory of a single connection is bounded anyway; the limit is for many connections that all hold as much as they
//! may. Well-behaved clients that read slowly are first made to wait at fewer replies. A client that still asks for
//! more, or sends lines of megabytes that have no end, loses its connection.
//!
//! The connections of other shards may grow while those of this one stay as they are. So a shard that holds more than
//! its share of the limit looks again in every warm window. It may be parked, too: whoever makes the sum too large sees
//! that at the end of its window, and wakes those that hold more than their share.

use corecached_protocol::event::CloseReason;

use crate::conn::Totals;
use crate::memory::conn_memory::ConnMemory;

use super::Net;

/// Most connections closed in one turn: each is looked for among all, which takes some 20 us if there are 100,000.
const CLOSED_PER_TURN: usize = 16;

impl Net {
    /// At the end of a turn: publishes the memory that the connections hold, if it has changed, and keeps it below the
    /// limit.
    #[inline]
    pub(super) fn watch_conn_memory(&mut self, ends_window: bool) {
        let totals = self.conns.totals();
        let has_changed = self.conn_memory.update(totals);
        let looks_again = ends_window && self.conn_memory.is_above_share();
        if has_changed || looks_again {
            self.bound_conn_memory(totals);
        }
        if ends_window {
            self.add_conn_memory();
        }
    }

    fn bound_conn_memory(&mut self, totals: Totals) {
        self.shared
            .memory
            .conns(self.id)
            .publish(totals.input, totals.output, totals.work);
        let limit = self.shared.globals.config.conn_mem_limit_bytes;
        let share = limit / self.shared.route.len() as u64;
        let is_short = limit > 0 && totals.all() > share / 2;
        self.conn_memory.shorten_output(is_short);
        if is_short && totals.all() > share {
            self.close_largest(limit, share);
        }
        let is_above = limit > 0 && self.conns.totals().all() > share;
        self.conn_memory.note_share(is_above);
    }

    /// Adds what has changed in a window to the sum over all shards. If that is too much, looks again, now that what
    /// the others have added can be seen, and wakes those that hold more than their share: they look at the end of
    /// their next window. A shard does not park before the end of a window in which something has changed, so what it
    /// holds while parked has been added.
    fn add_conn_memory(&mut self) {
        let unadded = self.conn_memory.take_unadded();
        let limit = self.shared.globals.config.conn_mem_limit_bytes;
        if unadded == 0 || limit == 0 {
            return;
        }
        let sum = self.shared.memory.held_by_all.add(unadded);
        if sum > limit {
            self.bound_conn_memory(self.conns.totals());
            self.wake_those_above_share(limit);
        }
    }

    #[cold]
    fn wake_those_above_share(&self, limit: u64) {
        let (route, memory) = (&self.shared.route, &self.shared.memory);
        let share = limit / route.len() as u64;
        for id in route.ids().filter(|&id| id != self.id) {
            if memory.conns(id).held() > share {
                route.shard(id).wake();
            }
        }
    }

    /// Closes connections of this shard while all shards hold more than `limit`, and this one more than `share`.
    #[cold]
    fn close_largest(&mut self, limit: u64, share: u64) {
        let others: u64 = self
            .shared
            .memory
            .all_conns()
            .iter()
            .map(ConnMemory::held)
            .sum::<u64>()
            .saturating_sub(self.conn_memory.published().all());
        for _ in 0..CLOSED_PER_TURN {
            let held = self.conns.totals().all();
            if held <= share || others + held <= limit {
                break;
            }
            let Some((id, held)) = self.conns.take_largest() else {
                break;
            };
            let counters = self.counters();
            match held.is_mostly_input() {
                true => counters.closed_for_input.add(1),
                false => counters.closed_for_output.add(1),
            }
            if let Some(conn) = self.conns.get_mut(id) {
                conn.close_event.reason = Some(CloseReason::Error);
            }
            self.fail_conn(id);
        }
    }

    /// Once in a warm window: publishes the memory of buffers that belong to no connection.
    pub(super) fn publish_pools(&self) {
        let memory = self.shared.memory.conns(self.id);
        let pools =
            self.reactor.pooled_bytes() + self.router.held_bytes() + self.buffers.held_bytes();
        memory.publish_pools(pools as u64, self.conns.table_bytes() as u64);
    }
}

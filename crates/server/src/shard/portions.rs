//! Work that comes in crowds and is done some at a time: connections that begin, end, go on, or may have been idle for
//! too long. So a turn of the loop stays short for all clients that are not part of the crowd.

use std::time::{Duration, Instant};

use corecached_protocol::event::CloseReason;

use super::Net;
use crate::lending::core::Core;

/// Connections taken in in one turn, some 3 us each.
const ARRIVALS_PER_TURN: usize = 64;
/// Connections closed in one turn, some 5 us each.
const CLOSED_PER_TURN: usize = 64;
/// Time in one turn for connections that go on; the last of them may exceed it. Connections that had no turn are the
/// first in the next turn.
const READY_TIME_MAX: Duration = Duration::from_micros(300);

/// Connections looked at for idleness in one turn: a cache miss or two each, some 100 us for all.
const LOOKS_PER_TURN: usize = 512;

impl Net {
    /// Takes in some of the connections that have come.
    pub(super) fn take_arrivals(&mut self) {
        for _ in 0..ARRIVALS_PER_TURN {
            let Some(arrival) = self.lists.next_arrival() else {
                return;
            };
            match arrival.is_handed_over {
                // The process ends: connections that have not been greeted need no goodbye.
                true if self.is_ending() => self.forget_connection(),
                false if self.is_ending() => {}
                true => self.adopt(arrival.fd, arrival.listener),
                false => self.accepted(arrival.listener, arrival.fd),
            }
        }
    }

    /// Lets some connections go on that had more requests than one turn allows, were paused, or have something long to
    /// do.
    pub(super) fn work_on_ready(&mut self, core: &mut Core) {
        if self.lists.ready_count() == 0 {
            return;
        }
        let begun = Instant::now();
        for _ in 0..self.lists.ready_count() {
            let Some(id) = self.lists.next_ready() else {
                return;
            };
            self.with_conn(id, core, |conn, _, cx| {
                conn.listed.to_go_on = false;
                cx.has_long_turn = true;
                conn.resume(cx);
            });
            if begun.elapsed() >= READY_TIME_MAX {
                return;
            }
        }
    }

    /// Closes some of the connections that are to be closed.
    pub(super) fn close_listed(&mut self, core: &mut Core) {
        let copied = self.udp.take_copied();
        self.unpin(copied, core);
        for _ in 0..CLOSED_PER_TURN {
            let Some(id) = self.lists.next_to_close() else {
                return;
            };
            self.close(id, core);
        }
    }

    /// Looks at some of the connections that may have been idle for too long, and closes those that were.
    #[inline]
    pub(super) fn close_idle(&mut self) {
        if self.idle_wheel.is_due(self.now) {
            self.look_at_idle();
        }
    }

    #[cold]
    fn look_at_idle(&mut self) {
        for _ in 0..LOOKS_PER_TURN {
            let Some(place) = self.idle_wheel.next(self.now) else {
                return;
            };
            let Some(conn) = self.conns.at(place as usize) else {
                continue;
            };
            let (id, active) = (conn.id, conn.last_activity);
            let quiet = self.now.0.saturating_sub(active.0);
            if !conn.awaits_input() || !self.idle_wheel.is_over(quiet) {
                self.idle_wheel.watch(place, active);
                continue;
            }
            if let Some(conn) = self.conns.get_mut(id) {
                conn.close_event.reason = Some(CloseReason::IdleTimeout);
            }
            self.counters().idle_kicks.add(1);
            self.lists.close(id);
        }
    }

    /// Whether connections are left to be looked at for idleness in the next turn.
    pub(super) fn has_idle_left(&self) -> bool {
        self.idle_wheel.is_due(self.now)
    }
}

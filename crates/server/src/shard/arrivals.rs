//! What comes in crowds and is dealt with some at a time: connections that begin or end, those that go on, and those that may
//! be idle for too long. A turn of the
//! loop is as long for all other clients, whoever sends the crowd.

use std::time::{Duration, Instant};

use corecached_protocol::event::CloseReason;

use super::Net;
use crate::cell::core::Core;

/// Connections taken in in one turn, some 3 us each.
const ARRIVALS_PER_TURN: usize = 64;
/// Connections closed in one turn, some 5 us each.
const CLOSED_PER_TURN: usize = 64;
/// Connections that go on do so in one turn for so long, and for one of them more; the others have their turn before them in
/// the next.
const READY_TIME_MAX: Duration = Duration::from_micros(300);

/// Connections looked at in one turn: a cache miss or two each, some 100 us for all.
const LOOKS_PER_TURN: usize = 512;

impl Net {
    /// Takes in some of those who have come.
    pub(super) fn take_arrivals(&mut self) {
        for _ in 0..ARRIVALS_PER_TURN {
            let Some(arrival) = self.lists.next_arrival() else {
                return;
            };
            match arrival.is_handed_over {
                // The process ends: those who have not been greeted need no goodbye.
                true if self.stopping_since.is_some() => self.forget_connection(),
                false if self.stopping_since.is_some() => {}
                true => self.adopt(arrival.fd, arrival.listener),
                false => self.accepted(arrival.listener, arrival.fd),
            }
        }
    }

    /// Connections that had more requests than one turn allows, or were paused, or have something long to do, go on.
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
    pub(super) fn close_doomed(&mut self, core: &mut Core) {
        let copied = self.datagrams.take_copied();
        self.unpin(copied, core);
        for _ in 0..CLOSED_PER_TURN {
            let Some(id) = self.lists.next_doomed() else {
                return;
            };
            self.close(id, core);
        }
    }

    /// Looks at some of those that may have been idle for too long, and closes those that were.
    #[inline]
    pub(super) fn close_idle(&mut self) {
        if self.idle.is_due(self.now) {
            self.look_at_idle();
        }
    }

    #[cold]
    fn look_at_idle(&mut self) {
        for _ in 0..LOOKS_PER_TURN {
            let Some(place) = self.idle.next(self.now) else {
                return;
            };
            let Some(conn) = self.conns.at(place as usize) else {
                continue;
            };
            let (id, active) = (conn.id, conn.last_activity);
            let quiet = self.now.0.saturating_sub(active.0);
            if !conn.awaits_input() || !self.idle.is_over(quiet) {
                self.idle.watch(place, active);
                continue;
            }
            if let Some(conn) = self.conns.get_mut(id) {
                conn.parting.reason = Some(CloseReason::IdleTimeout);
            }
            self.counters().idle_kicks.add(1);
            self.lists.dooms(id);
        }
    }

    /// Whether some are left to be looked at in the next turn.
    pub(super) fn has_idle_left(&self) -> bool {
        self.idle.is_due(self.now)
    }
}

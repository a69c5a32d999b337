//! Where the network loop tells the meter how far its turn is: the only readings of a precise clock on the request
//! path, two or three in a turn (`latency/meter.rs`).

use crate::base::clock::Clock;
use crate::ids::ConnId;

use super::Net;

impl Net {
    /// Whether the loop should not wait in the kernel, so that the sends of the turn are measured.
    #[inline]
    pub(super) fn measures_sends(&mut self) -> bool {
        let measures = self.meter.wants_measure();
        if measures {
            self.meter.enters(Clock::precise_ns());
        }
        measures
    }

    /// The kernel has returned, and a turn begins. Returns the time, by [`Clock::precise_ns`].
    #[inline]
    pub(super) fn turn_begins(&mut self) -> u64 {
        let now_ns = Clock::precise_ns();
        if self.meter.is_on() {
            self.meter.returned(now_ns);
        }
        now_ns
    }

    /// One part of the turn ends, and the next begins.
    #[inline]
    pub(super) fn mark(&mut self) {
        if self.meter.is_on() {
            self.meter.mark(Clock::precise_ns());
        }
    }

    /// The operations of the turn go to the other shards now, if there are any.
    #[inline]
    pub(super) fn mark_exchange(&mut self) {
        if !self.router.may_sleep() {
            self.mark();
        }
    }

    /// The sends of the turn begin.
    #[inline]
    pub(super) fn mark_sends(&mut self) {
        if self.meter.is_on() {
            self.meter.sends(Clock::precise_ns(), &self.shared.latency);
        }
    }

    /// The loop parks: the meter keeps no more memory than it needs then.
    pub(super) fn shrink_meter(&mut self) {
        self.meter.shrink(&self.shared.latency);
    }

    /// A connection's replies have been given to the kernel as one send of `bytes` bytes; `None` if there was nothing
    /// to send.
    #[inline]
    pub(super) fn measure(&mut self, id: ConnId, bytes: Option<usize>) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let facts = conn.facts();
        let sent = (id, &facts, bytes);
        let place = &mut conn.measured;
        if let Some(slow) = self.meter.sent(place, sent, &self.shared.latency) {
            self.tell_slow(id, &slow);
        }
    }

    /// The reply to a datagram, if it has one, is given to the kernel now, and its connection ends.
    pub(super) fn measure_datagram(&mut self, id: ConnId) {
        self.measure(id, Some(0));
        if let Some(conn) = self.conns.get_mut(id) {
            self.meter
                .closed(&mut conn.measured, id, &self.shared.latency);
        }
    }

    /// The kernel could not take a connection's last send at once.
    pub(super) fn measure_blocked(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            self.meter.blocked(conn.measured, id);
        }
    }

    /// The kernel has taken a connection's last send.
    pub(super) fn measure_unblocked(&mut self, id: ConnId) {
        if let Some(slow) = self.meter.unblocked(id, &self.shared.latency) {
            self.tell_slow(id, &slow);
        }
    }
}

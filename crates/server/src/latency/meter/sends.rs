//! The sends of a turn, with which commands are answered: their times are counted, and corrected if the kernel could
//! not take a send at once.

use crate::ids::ConnId;
use crate::latency::slot::{Facts, Slot, Times};
use crate::latency::tally::{Counts, KeyNote};
use crate::latency::{Kind, Latency, Stage};

use super::{Given, Meter, Place, Slow};

impl Meter {
    /// The own work of the turn is done, and its sends begin.
    #[inline]
    pub(crate) fn sends(&mut self, now: u64, latency: &Latency) {
        latency.sync(self.shard);
        self.tell_held(latency);
        self.marks.push(now);
        self.given.clear();
        self.given_keys.clear();
    }

    /// The replies of a connection have been given to the kernel as one send of `sent` bytes, or there is none. Returns
    /// its commands if they are answered, and slow.
    #[inline]
    pub(crate) fn sent(
        &mut self,
        place: &mut Place,
        (conn, facts, sent): (ConnId, &Facts, Option<usize>),
        latency: &Latency,
    ) -> Option<Slow> {
        if !self.is_on {
            return None;
        }
        self.sends += u32::from(sent.is_some());
        let slot = *self.slot(*place).filter(|slot| slot.counts.all() > 0)?;
        let has_passed = (facts.replies.0.wrapping_sub(slot.until) as i32) >= 0;
        let is_answered = match sent {
            Some(_) => !facts.awaits || has_passed,
            None => !facts.awaits && !facts.is_sending,
        };
        let executed = match slot.executed {
            0 => self.end_of(slot.begun),
            executed => executed,
        };
        if !is_answered {
            if let Some(slot) = self.slot_mut(*place) {
                slot.executed = executed;
            }
            return None;
        }
        let estimate = match sent {
            Some(_) => self.per_send * u64::from(self.sends),
            None => 0,
        };
        let times = self.times(&Slot { executed, ..slot }, estimate);
        self.count(&slot.counts, &times, latency);
        let given = Given {
            conn,
            counts: slot.counts,
            times,
            sent: self.begun() + estimate,
            bytes: sent.unwrap_or(0),
        };
        if sent.is_some() {
            self.given.push(given);
            place.given = self.given.len() as u32;
        }
        let slow = self.logs_slow().then(|| {
            let key = self.slot_keys[place.slot as usize - 1];
            if sent.is_some() {
                self.given_keys.push(key);
            }
            slow(&given, key)
        });
        self.empty(place);
        slow.filter(|_| times.total >= self.slow_ns)
    }

    /// Forgets the commands of a slot, which are answered.
    fn empty(&mut self, place: &mut Place) {
        match self.slot_mut(*place) {
            Some(slot) if slot.kept.is_some() => slot.counts = Counts::default(),
            _ => self.give_slot(place),
        }
    }

    /// The times of a slot whose replies are being sent.
    fn times(&self, slot: &Slot, estimate: u64) -> Times {
        let now = self.begun();
        let behind = now.saturating_sub(slot.executed);
        Times {
            queue: slot.begun.saturating_sub(slot.received),
            execution: slot.executed.saturating_sub(slot.begun),
            other_shard: slot.waited.then_some(behind),
            sending: estimate + if slot.waited { 0 } else { behind },
            total: now.saturating_sub(slot.received) + estimate,
        }
    }

    fn count(&self, counts: &Counts, times: &Times, latency: &Latency) {
        let buckets = latency.of(self.shard);
        for (kind, commands) in counts.kinds() {
            let stages = buckets.of(kind);
            for (stage, ns) in times.by_stage() {
                stages[stage as usize].add(ns, commands);
            }
        }
    }

    /// The kernel could not take the last send of a connection at once.
    pub(crate) fn blocked(&mut self, place: Place, conn: ConnId) {
        let Some(index) = (place.given as usize).checked_sub(1) else {
            return;
        };
        if let Some(given) = self.given.get(index).filter(|given| given.conn == conn) {
            let key = self.given_keys.get(index).copied().unwrap_or_default();
            self.blocked.insert(conn, (*given, key));
        }
    }

    /// A send is done. If it was blocked, it took until now. Returns its commands if that has made them slow.
    pub(crate) fn unblocked(&mut self, conn: ConnId, latency: &Latency) -> Option<Slow> {
        if self.blocked.is_empty() {
            return None;
        }
        let (mut given, key) = self.blocked.remove(&conn)?;
        let was = given.times;
        let longer = self.received.saturating_sub(given.sent);
        let is = &mut given.times;
        (is.sending, is.total) = (was.sending + longer, was.total + longer);
        latency.sync(self.shard);
        let buckets = latency.of(self.shard);
        for (kind, commands) in given.counts.kinds() {
            let stages = buckets.of(kind);
            for (stage, was, is) in [
                (Stage::Sending, was.sending, given.times.sending),
                (Stage::Total, was.total, given.times.total),
            ] {
                stages[stage as usize].replace(was, is, commands);
            }
        }
        let has_become_slow = was.total < self.slow_ns && given.times.total >= self.slow_ns;
        has_become_slow.then(|| slow(&given, key))
    }

    /// A connection has ended; replies that are not sent will never be.
    pub(crate) fn closed(&mut self, place: &mut Place, conn: ConnId, latency: &Latency) {
        self.blocked.remove(&conn);
        let Some(slot) = self.slot(*place).copied() else {
            return;
        };
        if slot.counts.all() > 0 {
            let executed = match slot.executed {
                0 => self.begun(),
                executed => executed,
            };
            let times = self.times(&Slot { executed, ..slot }, 0);
            latency.sync(self.shard);
            self.count(&slot.counts, &times, latency);
        }
        self.give_slot(place);
    }
}

fn slow(given: &Given, key: KeyNote) -> Slow {
    Slow {
        kind: key.kind().unwrap_or(Kind::Other),
        key,
        commands: given.counts.all(),
        times: given.times,
        bytes: given.bytes,
    }
}

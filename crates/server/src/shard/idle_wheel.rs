//! `-o idle_timeout`: a connection is looked at only in the seconds in which it may have been idle for too long.
//!
//! ```text
//!   second      17     18     19     20  ...        a wheel with a slot for each second up to the timeout
//!   looked at   [ ]    [a]    [ ]   [b c]           `a` has sent something at 10, 8 is the timeout: it goes to slot 19
//! ```
//!
//! A place of the table is in one slot: the first in which its connection may have been idle for too long. When the
//! connection sends something meanwhile, its place is not moved; it is put into a later slot when it is looked at. If
//! the connection has ended meanwhile, the place stays in its slot, which is never too late for the next connection in
//! that place. `portions.rs` limits how many are looked at in one turn.

use corecached_engine::Seconds;

/// Most slots of the wheel; with a longer timeout, a connection is looked at once in this many seconds.
const SLOTS_MAX: u32 = 3600;

/// The wheel of one shard.
#[derive(Debug)]
pub(super) struct IdleWheel {
    /// Timeout in seconds; 0 if no connection is closed for being idle.
    timeout: u32,
    slots: Vec<Vec<u32>>,
    /// Whether a place of the table is in a slot, by place.
    watched: Vec<bool>,
    /// The second whose slot is being worked on.
    second: u32,
}

impl IdleWheel {
    /// An empty wheel that begins at `now`.
    pub(super) fn new(timeout: u32, now: Seconds) -> IdleWheel {
        let slots = match timeout {
            0 => 0,
            timeout => timeout.saturating_add(2).min(SLOTS_MAX),
        };
        IdleWheel {
            timeout,
            slots: vec![Vec::new(); slots as usize],
            watched: Vec::new(),
            second: now.0,
        }
    }

    /// Makes the connection in a place be looked at when it may have been idle for too long; it last did something at
    /// `active`.
    pub(super) fn watch(&mut self, place: u32, active: Seconds) {
        if self.timeout == 0 {
            return;
        }
        let index = place as usize;
        if index >= self.watched.len() {
            self.watched.resize(index + 1, false);
        }
        if std::mem::replace(&mut self.watched[index], true) {
            return;
        }
        let due = active.0.saturating_add(self.timeout).saturating_add(1);
        // The slot before the current one is the last of the next round.
        let last = self.second.saturating_add(self.slots.len() as u32 - 1);
        let slot = due.clamp(self.second.saturating_add(1), last) as usize % self.slots.len();
        self.slots[slot].push(place);
    }

    /// Whether a connection that has been quiet for `quiet` seconds is idle for too long.
    pub(super) fn is_over(&self, quiet: u32) -> bool {
        quiet > self.timeout
    }

    /// Whether there may be a connection to look at.
    #[inline]
    pub(super) fn is_due(&self, now: Seconds) -> bool {
        self.timeout > 0 && self.second <= now.0
    }

    /// Takes the next place to be looked at.
    pub(super) fn next(&mut self, now: Seconds) -> Option<u32> {
        while self.is_due(now) {
            let slot = self.second as usize % self.slots.len();
            if let Some(place) = self.slots[slot].pop() {
                self.watched[place as usize] = false;
                return Some(place);
            }
            self.second += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(idle: &mut IdleWheel, now: u32) -> Vec<u32> {
        std::iter::from_fn(|| idle.next(Seconds(now))).collect()
    }

    #[test]
    fn each_is_looked_at_when_its_time_is_over() {
        let mut idle = IdleWheel::new(8, Seconds(9));
        idle.watch(1, Seconds(9));
        assert_eq!(due(&mut idle, 9), []);
        idle.watch(2, Seconds(10));
        assert_eq!(due(&mut idle, 17), []);
        assert_eq!(due(&mut idle, 18), [1]);
        // The connection has sent something at 15.
        idle.watch(1, Seconds(15));
        assert_eq!(idle.next(Seconds(19)), Some(2));
        // The connection is busy with something that is not its client's fault: it is looked at again in the next
        // second.
        idle.watch(2, Seconds(10));
        assert_eq!(due(&mut idle, 19), []);
        assert_eq!(due(&mut idle, 20), [2]);
        assert_eq!(due(&mut idle, 23), []);
        assert_eq!(due(&mut idle, 24), [1]);
    }

    #[test]
    fn seconds_in_which_nobody_looks_are_made_up_for() {
        let mut idle = IdleWheel::new(2, Seconds(0));
        for number in 0..5 {
            idle.watch(number, Seconds(number));
        }
        let mut all = due(&mut idle, 1000);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        assert_eq!(due(&mut idle, 2000), []);
    }

    #[test]
    fn a_timeout_of_days_needs_no_wheel_of_days() {
        let mut idle = IdleWheel::new(u32::MAX, Seconds(5));
        idle.watch(7, Seconds(5));
        assert_eq!(idle.slots.len(), SLOTS_MAX as usize);
        assert_eq!(due(&mut idle, 3603), []);
        assert_eq!(due(&mut idle, 3604), [7]);
    }

    #[test]
    fn a_place_that_connections_come_and_go_in_is_kept_once() {
        let mut idle = IdleWheel::new(100, Seconds(0));
        for second in 0..50 {
            idle.watch(3, Seconds(second));
        }
        assert_eq!(due(&mut idle, 101), [3]);
        assert_eq!(due(&mut idle, 1000), []);
    }

    #[test]
    fn without_a_timeout_nothing_is_kept() {
        let mut idle = IdleWheel::new(0, Seconds(5));
        idle.watch(7, Seconds(5));
        assert!(!idle.is_due(Seconds(1000)));
        assert_eq!(due(&mut idle, 1000), []);
    }
}

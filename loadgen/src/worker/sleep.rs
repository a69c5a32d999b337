//! The margin: how long before a request is due a worker stops sleeping and spins.
//!
//! A sleeping CPU needs 20 to 40 us to come back, on a loaded or virtual machine at times hundreds. The margin follows
//! the wake-ups: one that used most of the margin makes it grow at once, the others let it shrink slowly.

use super::phase::WaitPolicy;

/// The smallest margin. It is above the 90th percentile of wake-ups on a quiet machine (the table in the README).
const MARGIN_NS_MIN: u64 = 50_000;
/// The largest margin. Later wake-ups come not from the CPU's sleep but from another thread's turn, against which
/// spinning does not help.
const MARGIN_NS_MAX: u64 = 400_000;
/// The margin shrinks by one part in this many with each wake-up in time.
const SHRINK: u64 = 512;

/// The margin, and the policy it serves.
#[derive(Debug)]
pub(crate) struct Sleep {
    policy: WaitPolicy,
    margin_ns: u64,
}

impl Sleep {
    pub(crate) fn new(policy: WaitPolicy) -> Self {
        Self {
            policy,
            margin_ns: MARGIN_NS_MIN,
        }
    }

    pub(crate) fn policy(&self) -> WaitPolicy {
        self.policy
    }

    /// How long before the due time to stop sleeping.
    #[inline]
    pub(crate) fn spin_ns(&self) -> u64 {
        match self.policy {
            WaitPolicy::Sleep => 0,
            WaitPolicy::Hybrid => self.margin_ns,
            WaitPolicy::Spin => u64::MAX,
        }
    }

    /// Learns from a sleep that should have ended at `planned_ns` (a reply may have ended it earlier).
    #[inline]
    pub(crate) fn woke(&mut self, now_ns: u64, planned_ns: u64) {
        let late_ns = now_ns.saturating_sub(planned_ns);
        if late_ns > self.margin_ns / 4 * 3 {
            self.margin_ns = (self.margin_ns / 2 * 3).min(MARGIN_NS_MAX);
        } else {
            self.margin_ns = (self.margin_ns - self.margin_ns / SHRINK).max(MARGIN_NS_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_follows_late_wake_ups_and_comes_back() {
        let mut sleep = Sleep::new(WaitPolicy::Hybrid);
        (0..20).for_each(|_| sleep.woke(1_000_000, 0));
        assert_eq!(sleep.spin_ns(), MARGIN_NS_MAX);
        (0..5_000).for_each(|_| sleep.woke(10_000, 0));
        assert_eq!(sleep.spin_ns(), MARGIN_NS_MIN);
    }
}

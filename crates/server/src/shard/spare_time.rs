//! How much of the core background work may take: half of the time in which the network loop waits, and a fifth of the
//! time in which it works.
//!
//! ```text
//! network loop   wait      requests      wait        .    .    .    .        wait
//! credit           +1          +1/4        +1   -slice -slice -slice -slice    +1
//! ```
//!
//! Time earns credit, and slices spend it. After each slice the loop looks whether anything has come, so a request
//! waits for one slice at most. After a turn that took long, a slice may be longer; otherwise slices could not reach a
//! fifth of the time.

use std::time::{Duration, Instant};

/// Usual length of a slice.
pub(super) const SLICE: Duration = Duration::from_micros(50);
/// Longest slice. After a turn that took longer than four usual slices, a slice may be a quarter of the turn, up to
/// this.
const SLICE_MAX: Duration = Duration::from_micros(250);
/// Shortest slice; a shorter one is not worth the turn.
const SLICE_MIN: Duration = Duration::from_micros(25);
/// Most credit: half of a short warm window of the loop. With the wait until the window's end, that is half of the
/// core. The debt after a slice that took too long has the same bound.
const CREDIT_MAX: Duration = Duration::from_millis(1);
/// Time of the loop's own work that earns one part of credit.
const BUSY_PARTS: u32 = 4;

/// The share of the core that a pass of background work may take: time that has been earned and not been spent.
#[derive(Debug)]
pub(super) struct SpareTime {
    credit: Duration,
    /// Time that slices have taken beyond the credit.
    debt: Duration,
    /// Time that the loop has worked since the last slice.
    busy: Duration,
    /// The moment up to which time is accounted for.
    accounted: Instant,
}

impl SpareTime {
    /// A pass that begins at `now` and has earned nothing yet.
    pub(super) fn begin(now: Instant) -> SpareTime {
        SpareTime {
            credit: Duration::ZERO,
            debt: Duration::ZERO,
            busy: Duration::ZERO,
            accounted: now,
        }
    }

    fn passed(&mut self, now: Instant) -> Duration {
        let before = std::mem::replace(&mut self.accounted, now);
        now.saturating_duration_since(before)
    }

    fn earn(&mut self, time: Duration) {
        let paid = time.min(self.debt);
        self.debt -= paid;
        self.credit = (self.credit + time - paid).min(CREDIT_MAX);
    }

    /// Accounts for the loop's work until now.
    pub(super) fn worked(&mut self, now: Instant) {
        let time = self.passed(now);
        self.busy += time;
        self.earn(time / BUSY_PARTS);
    }

    /// Accounts for the loop's wait until now.
    pub(super) fn waited(&mut self, now: Instant) {
        let time = self.passed(now);
        self.earn(time);
    }

    /// Whether there is credit for a slice, so that the loop should not wait.
    pub(super) fn is_due(&self) -> bool {
        self.credit >= SLICE_MIN
    }

    /// Length of the slice that begins now, if one is due.
    pub(super) fn slice(&mut self) -> Option<Duration> {
        let busy = std::mem::take(&mut self.busy);
        let longest = (busy / BUSY_PARTS).clamp(SLICE, SLICE_MAX);
        self.is_due().then(|| self.credit.min(longest))
    }

    /// Accounts for a slice that has ended now.
    pub(super) fn spent(&mut self, now: Instant) {
        let time = self.passed(now);
        self.debt = (self.debt + time.saturating_sub(self.credit)).min(CREDIT_MAX);
        self.credit = self.credit.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// Runs a loop whose every turn works for `work` and then waits for `wait`, unless a slice is due; every slice
    /// takes `over` longer than it should. Returns the share of the time that slices take, and the longest slice.
    fn run(work: Duration, wait: Duration, over: Duration) -> (f64, Duration) {
        let begun = Instant::now();
        let mut now = begun;
        let mut spare = SpareTime::begin(now);
        let (mut taken, mut longest) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..100_000 {
            now += work;
            spare.worked(now);
            if !spare.is_due() {
                now += wait;
                spare.waited(now);
            }
            if let Some(slice) = spare.slice() {
                now += slice + over;
                spare.spent(now);
                taken += slice + over;
                longest = longest.max(slice);
            }
        }
        (taken.as_secs_f64() / (now - begun).as_secs_f64(), longest)
    }

    #[test]
    fn a_busy_loop_gives_a_fifth() {
        for turn_us in [3, 20, 100, 400, 1000] {
            let (share, longest) = run(turn_us * MICROSECOND, Duration::ZERO, Duration::ZERO);
            assert!(
                (share - 0.2).abs() < 0.005,
                "{share} with turns of {turn_us} us"
            );
            assert!(
                longest <= SLICE.max(turn_us * MICROSECOND / 4),
                "{longest:?}"
            );
        }
        // With longer turns, the bound on a slice limits the share.
        let (share, longest) = run(5000 * MICROSECOND, Duration::ZERO, Duration::ZERO);
        assert!(share < 0.06, "{share}");
        assert_eq!(longest, SLICE_MAX);
    }

    #[test]
    fn an_idle_loop_gives_half() {
        for wait_us in [100, 1000, 2000] {
            let (share, longest) = run(MICROSECOND, wait_us * MICROSECOND, Duration::ZERO);
            assert!(
                share > 0.3 && share < 0.51,
                "{share} with waits of {wait_us} us"
            );
            assert_eq!(longest, SLICE);
        }
    }

    #[test]
    fn slices_that_take_longer_come_less_often() {
        let (share, _) = run(20 * MICROSECOND, Duration::ZERO, 10 * MICROSECOND);
        assert!(share < 0.21, "{share}");
    }
}

//! The alarm that ends a park: a timer of the reactor's own ring. Timers of glommio are not used for that, since one
//! that fires while glommio cancels it can leave the thread asleep (`docs/design/007-timers.md`).
//!
//! A park that ends before its alarm leaves it running. The next park needs no other if that one goes off in time; else
//! it replaces it. An alarm that goes off while nobody is parked only ends a turn early.

use std::time::{Duration, Instant};

use crate::ring::Ring;

/// The longest time for which an alarm is set.
const LONGEST: Duration = Duration::from_hours(24);

/// The state of the alarm.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    /// When the alarm that is running goes off.
    goes_off: Option<Instant>,
}

impl Alarm {
    /// Sees to it that an alarm goes off after `time`, or before.
    pub(crate) fn set(&mut self, ring: &mut Ring, time: Duration) {
        let time = time.min(LONGEST);
        let wanted = Instant::now() + time;
        if self.goes_off.is_some_and(|at| at <= wanted) {
            return;
        }
        if self.goes_off.is_some() {
            ring.stop_alarm();
        }
        ring.start_alarm(time);
        self.goes_off = Some(wanted);
    }

    /// Whether an alarm is running, as far as its completions have been seen.
    pub(crate) fn is_running(&self) -> bool {
        self.goes_off.is_some()
    }

    /// A completion of an alarm came: it has gone off, could not be started, or was replaced. If the one that was to be
    /// replaced has gone off just then, the other is taken for over as well; the next park then sets one more.
    pub(crate) fn complete(&mut self, result: i32) {
        if result != -libc::ECANCELED {
            self.goes_off = None;
        }
    }
}

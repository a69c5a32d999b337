//! How the network loop and the upkeep, two tasks of one thread, tell each other when to work.
//!
//! ```text
//!   loop     a window has ended, traffic, call -------------> upkeep   until_window_ends, until_called
//!   loop <-- waits_for_window: windows are short ------------
//!   loop <-- time_left: the loop parks for no longer --------
//! ```
//!
//! The upkeep has no timer: the loop wakes it once in a window while there is traffic, and parks until the upkeep is due
//! without. A window takes 2 ms while somebody waits for its end, else 16 ms: with 16 shards on two CPUs, windows of 2 ms
//! were a fifth of all work.
//!
//! Timers of the executor would not do: while the loop is not parked glommio does not look at them (`TURN_MAX` in
//! `reactor/src/runtime.rs`), and one that fires at a bad moment can leave the shard asleep
//! (`docs/design/007-timers.md`).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Signals of the network loop to the upkeep: that a warm window has ended, that there is something to do, and that
/// clients have sent something. All clones share one state and live on the shard's thread.
#[derive(Clone, Debug, Default)]
pub(super) struct UpkeepSignals {
    /// The upkeep while it waits for the end of the window.
    at_window_end: Place,
    /// The upkeep while it has nothing to do until it is called or its time has come.
    idle: Place,
    /// Whether the upkeep has waited for the end of a window since it last had nothing to do.
    waits_for_window: Rc<Cell<bool>>,
    /// Whether clients have sent anything since this was last asked.
    traffic: Rc<Cell<bool>>,
}

/// Where the upkeep waits until the network loop takes it out.
#[derive(Clone, Debug, Default)]
struct Place(Rc<RefCell<Option<Waiting>>>);

/// An upkeep that waits.
#[derive(Debug)]
struct Waiting {
    waker: Waker,
    /// When it is woken at the latest.
    due: Instant,
}

impl Place {
    /// Waits until [`Place::wake`] is called, which is to be after `time` at the latest.
    async fn wait(&self, time: Duration) {
        let due = Instant::now() + time;
        let mut is_registered = false;
        poll_fn(|context| {
            if is_registered && self.0.borrow().is_none() {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            *self.0.borrow_mut() = Some(Waiting { waker, due });
            is_registered = true;
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        if let Some(waiting) = self.0.take() {
            waiting.waker.wake();
        }
    }

    fn due(&self) -> Option<Instant> {
        self.0.borrow().as_ref().map(|waiting| waiting.due)
    }
}

impl UpkeepSignals {
    /// A window has ended: an upkeep that waits for that, or whose time has come, is woken. It runs when the network
    /// loop yields.
    pub(super) fn window_ended(&self) {
        self.at_window_end.wake();
        if self.idle.due().is_some_and(|due| due <= Instant::now()) {
            self.call();
        }
    }

    /// How long the network loop may park; then it is to call [`UpkeepSignals::window_ended`]. `None` if the upkeep is
    /// awake: it may ask for a time that the loop would not learn of if it parked.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let first = self.at_window_end.due().or(self.idle.due())?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    /// Whether the upkeep waits for the end of the window, or has just done so and still has something to do.
    #[inline]
    pub(super) fn waits_for_window(&self) -> bool {
        self.waits_for_window.get()
    }

    /// Returns at the end of the window; if the loop parks, after `time`.
    pub(super) async fn until_window_ends(&self, time: Duration) {
        self.waits_for_window.set(true);
        self.at_window_end.wait(time).await;
    }

    /// Notes that clients have sent something.
    #[inline]
    pub(super) fn note_traffic(&self) {
        self.traffic.set(true);
    }

    /// Whether clients have sent anything since the last call.
    pub(super) fn take_traffic(&self) -> bool {
        self.traffic.take()
    }

    /// Wakes an upkeep that had nothing to do, since now there is something.
    pub(super) fn call(&self) {
        self.idle.wake();
    }

    /// Returns after `time`, or as soon as [`UpkeepSignals::call`] is called.
    pub(super) async fn until_called(&self, time: Duration) {
        self.waits_for_window.set(false);
        self.idle.wait(time).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::Context;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn is_over(task: Pin<&mut impl Future<Output = ()>>) -> bool {
        task.poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn the_loop_may_park_while_the_upkeep_waits_until_it_is_due() {
        let signals = UpkeepSignals::default();
        assert_eq!(signals.time_left(), None, "it is awake");
        {
            let mut idle = pin!(signals.until_called(LONG));
            assert!(!is_over(idle.as_mut()));
            let left = signals.time_left().unwrap();
            assert!(left <= LONG && left > LONG / 2, "{left:?}");
            signals.window_ended();
            assert!(!is_over(idle.as_mut()), "its time has not come");
            signals.call();
            assert_eq!(signals.time_left(), None);
            assert!(is_over(idle));
        }
        let mut busy = pin!(signals.until_window_ends(Duration::ZERO));
        assert!(!is_over(busy.as_mut()));
        assert_eq!(signals.time_left(), Some(Duration::ZERO));
        signals.window_ended();
        assert!(is_over(busy));
    }

    #[test]
    fn an_upkeep_whose_time_has_come_is_woken_at_the_end_of_a_window() {
        let signals = UpkeepSignals::default();
        let mut idle = pin!(signals.until_called(Duration::ZERO));
        assert!(!is_over(idle.as_mut()), "it waits for the loop");
        signals.window_ended();
        assert!(is_over(idle));
    }

    #[test]
    fn windows_are_waited_for_until_the_upkeep_has_nothing_to_do() {
        let signals = UpkeepSignals::default();
        assert!(!signals.waits_for_window());
        assert!(!is_over(pin!(signals.until_window_ends(LONG))));
        signals.window_ended();
        assert!(signals.waits_for_window());
        assert!(!is_over(pin!(signals.until_called(LONG))));
        assert!(!signals.waits_for_window());
    }
}

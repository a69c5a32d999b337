//! How the network loop and the upkeep, two tasks of one thread, tell each other when to work.
//!
//! ```text
//!   loop     a window has ended, traffic, call ------> upkeep   until_window_ends, until_called
//!   loop <-- waits_for_window: windows are short -----
//! ```
//!
//! While the network loop is not parked, glommio does not look at its timers (`TURN_MAX` in `reactor/src/runtime.rs`).
//! So the loop says when it lets others run, once in a window, and wakes those whose time has come; without traffic it
//! parks, and timers are exact. A window takes 2 ms while somebody waits for its end, else 16 ms: with 16 shards on two
//! CPUs, windows of 2 ms were a fifth of all work.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use corecached_reactor::runtime::sleep;

/// Signals of the network loop to the upkeep: that a warm window has ended, that there is something to do, and that
/// clients have sent something. All clones share one state and live on the shard's thread.
#[derive(Clone, Debug, Default)]
pub(super) struct UpkeepSignals {
    /// Wakes the upkeep that waits for the end of the window.
    at_window_end: Rc<RefCell<Option<Waker>>>,
    /// Wakes the upkeep that has nothing to do until it is called or its time has come.
    idle: Rc<RefCell<Option<IdleUpkeep>>>,
    /// Whether the upkeep has waited for the end of a window since it last had nothing to do.
    waits_for_window: Rc<Cell<bool>>,
    /// Whether clients have sent anything since this was last asked.
    traffic: Rc<Cell<bool>>,
}

/// An upkeep that has nothing to do before a certain time.
#[derive(Debug)]
struct IdleUpkeep {
    waker: Waker,
    due: Instant,
}

impl UpkeepSignals {
    /// A window has ended: an upkeep that waits for that, or whose time has come, is woken. It runs when the network
    /// loop yields.
    pub(super) fn window_ended(&self) {
        if let Some(waker) = self.at_window_end.take() {
            waker.wake();
        }
        let due = self.idle.borrow().as_ref().map(|idle| idle.due);
        if due.is_some_and(|due| due <= Instant::now()) {
            self.call();
        }
    }

    /// Whether the upkeep waits for the end of the window, or has just done so and still has something to do.
    #[inline]
    pub(super) fn waits_for_window(&self) -> bool {
        self.waits_for_window.get()
    }

    /// Returns at the end of the window, or after `time` if none ends before.
    pub(super) async fn until_window_ends(&self, time: Duration) {
        self.waits_for_window.set(true);
        let mut timer = pin!(sleep(time));
        let mut is_registered = false;
        poll_fn(|context| {
            let has_ended = is_registered && self.at_window_end.borrow().is_none();
            if has_ended || timer.as_mut().poll(context).is_ready() {
                self.at_window_end.take();
                return Poll::Ready(());
            }
            *self.at_window_end.borrow_mut() = Some(context.waker().clone());
            is_registered = true;
            Poll::Pending
        })
        .await;
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
        if let Some(idle) = self.idle.take() {
            idle.waker.wake();
        }
    }

    /// Returns after `time`, or as soon as [`UpkeepSignals::call`] is called.
    pub(super) async fn until_called(&self, time: Duration) {
        self.waits_for_window.set(false);
        let (mut timer, due) = (pin!(sleep(time)), Instant::now() + time);
        let mut is_registered = false;
        poll_fn(|context| {
            let is_called = is_registered && self.idle.borrow().is_none();
            if is_called || timer.as_mut().poll(context).is_ready() {
                self.idle.take();
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            *self.idle.borrow_mut() = Some(IdleUpkeep { waker, due });
            is_registered = true;
            Poll::Pending
        })
        .await;
    }
}

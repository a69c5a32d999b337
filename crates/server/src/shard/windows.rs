//! The end of a warm window, as the shard's other tasks see it.
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

/// Signals of the network loop to the shard's other tasks: that a warm window has ended, that there is something to do,
/// and that clients have sent something. All clones share one state and live on the shard's thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows {
    /// The task that sleeps until the end of the window.
    sleeper: Rc<RefCell<Option<Waker>>>,
    /// The task that has nothing to do until it is called or its time has come.
    rester: Rc<RefCell<Option<Rester>>>,
    /// Whether a task has waited for the end of a window since it last came to rest.
    are_awaited: Rc<Cell<bool>>,
    /// Whether clients have sent anything since this was last asked.
    traffic: Rc<Cell<bool>>,
}

/// A task that rests.
#[derive(Debug)]
struct Rester {
    waker: Waker,
    due: Instant,
}

impl Windows {
    /// Ends a window: the task that waits for it is woken, and so is one that has rested for long enough. They run when
    /// the network loop yields.
    pub(super) fn end(&self) {
        if let Some(waker) = self.sleeper.take() {
            waker.wake();
        }
        let due = self.rester.borrow().as_ref().map(|rester| rester.due);
        if due.is_some_and(|due| due <= Instant::now()) {
            self.call();
        }
    }

    /// Whether a task waits for the end of the window, or has just done so and has not come to rest since.
    #[inline]
    pub(super) fn are_awaited(&self) -> bool {
        self.are_awaited.get()
    }

    /// Returns at the end of the window, or after `time` if none ends before. Only one task may wait at a time.
    pub(super) async fn sleep(&self, time: Duration) {
        self.are_awaited.set(true);
        let mut timer = pin!(sleep(time));
        let mut is_registered = false;
        poll_fn(|context| {
            let has_ended = is_registered && self.sleeper.borrow().is_none();
            if has_ended || timer.as_mut().poll(context).is_ready() {
                self.sleeper.take();
                return Poll::Ready(());
            }
            *self.sleeper.borrow_mut() = Some(context.waker().clone());
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

    /// Wakes the resting task, since there is something to do.
    pub(super) fn call(&self) {
        if let Some(rester) = self.rester.take() {
            rester.waker.wake();
        }
    }

    /// Returns after `time`, or as soon as [`Windows::call`] is called. Only one task may wait at a time.
    pub(super) async fn rest(&self, time: Duration) {
        self.are_awaited.set(false);
        let (mut timer, due) = (pin!(sleep(time)), Instant::now() + time);
        let mut is_registered = false;
        poll_fn(|context| {
            let is_called = is_registered && self.rester.borrow().is_none();
            if is_called || timer.as_mut().poll(context).is_ready() {
                self.rester.take();
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            *self.rester.borrow_mut() = Some(Rester { waker, due });
            is_registered = true;
            Poll::Pending
        })
        .await;
    }
}

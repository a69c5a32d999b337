//! Sleeping inside the executor. With a ring that is glommio's executor; with epoll it is that of `executor.rs`, which
//! waits for the epoll descriptor itself. With a ring:
//!
//! ```text
//!   remove the timer -> set the alarm -> register the eventfd with the ring -> let the kernel run its deferred work,
//!   once more
//!        something came: not asleep            nothing came: read the eventfd through glommio, and sleep
//! ```
//! The kernel signals the eventfd when deferred work is queued on an empty list. Work queued before the registration
//! signals nothing, but is run by the `enter` that follows it; work queued after that finds the list empty and
//! signals. So no wake-up falls between. While not parked nothing is registered, and completions cost no signal.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::driver::Driver;
use crate::event::Event;
use crate::executor;
use crate::operation::Wait;
use crate::reactor::Reactor;

impl Reactor {
    /// Sleeps in the surrounding executor, which is of the kind that goes with the driver, until there is something for
    /// the next turn. The caller then calls [`Reactor::turn`] as usual. To be called when a whole warm window has
    /// brought nothing. Queued operations are submitted first. This may also return although nothing has come, at once
    /// and without a turn for other tasks.
    pub async fn park(&mut self) -> io::Result<()> {
        self.park_within(None).await
    }

    /// As [`Reactor::park`], for `time` at most. No event tells that the time is over.
    pub async fn park_for(&mut self, time: Duration) -> io::Result<()> {
        self.park_within(Some(time)).await
    }

    /// Whether there are events for the next turn already: while the reactor parked something has come.
    pub fn has_events(&self) -> bool {
        !self.pending.is_empty()
    }

    async fn park_within(&mut self, longest: Option<Duration>) -> io::Result<()> {
        self.parking.leave(&self.driver)?;
        self.shrink();
        self.stop_timer()?;
        if !self.pending.is_empty() || !self.doorbells.are_rung() {
            return Ok(());
        }
        match &mut self.driver {
            Driver::Ring(ring) => {
                if let Some(time) = longest {
                    self.alarm.set(ring, time);
                }
                self.sleep_in_glommio(longest.is_some()).await
            }
            Driver::Epoll(_) => self.sleep_in_executor(longest).await,
        }
    }

    async fn sleep_in_glommio(&mut self, has_alarm: bool) -> io::Result<()> {
        // Without an eventfd (no memory, no descriptor), or where glommio cannot wait for it, there is no parking: the
        // loop calls again after a warm window, and is served by its ring meanwhile.
        if self.parking.enter(&self.driver).is_ok()
            && self.is_quiet()?
            && (!has_alarm || self.alarm.is_running())
        {
            let _ = self.parking.sleep().await;
        }
        self.parking.leave(&self.driver)
    }

    async fn sleep_in_executor(&mut self, longest: Option<Duration>) -> io::Result<()> {
        if self.is_quiet()?
            && let Driver::Epoll(epoll) = &self.driver
        {
            executor::readable(epoll.as_fd(), longest).await;
        }
        Ok(())
    }

    /// Removes the timer and waits for the confirmation, which comes with the same call.
    fn stop_timer(&mut self) -> io::Result<()> {
        self.window.stop(&mut self.driver);
        self.collect()?;
        self.window.forget();
        Ok(())
    }

    /// True if nothing has happened and the kernel has nothing in hand.
    fn is_quiet(&mut self) -> io::Result<bool> {
        self.collect()?;
        let is_quiet = self.pending.is_empty()
            && self.doorbells.are_rung()
            && !self.window.is_running()
            && self.driver.is_submitted();
        Ok(is_quiet && !self.driver.has_deferred())
    }

    /// Makes a turn whose events are kept for the next one.
    fn collect(&mut self) -> io::Result<()> {
        let mut events: Vec<Event> = std::mem::take(&mut self.pending);
        self.prepare();
        let done = self
            .driver
            .enter(Wait::Poll)
            .and_then(|()| self.take_completions(0, &mut events));
        self.pending = events;
        done
    }
}

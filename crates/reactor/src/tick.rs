//! The timer of the warm window, which runs from the first turn until the reactor parks.
//!
//! ```text
//!   long window    |---------------------------------|   tick, and the next one
//!   the caller wants short windows
//!                  |-----------| removed; started anew by the next turn
//!   short window               |-----|                   tick
//! ```
//!
//! A short window that a long one was cut for is begun, and ends before another long one takes its place, whatever the
//! caller wants by then. So there are ticks even if it wants another length in each turn.
//!
//! One timer entry serves many waits: a timeout given to each wait would cost every wait a timer that is set and
//! removed.

use crate::config::Window;
use crate::driver::Driver;
use crate::event::Event;

/// The state of the timer.
pub(crate) struct TickTimer {
    is_enabled: bool,
    /// The window that the caller wants.
    wanted: Window,
    /// The window for which the timer was started last.
    started: Window,
    /// The kernel owes a last completion.
    is_running: bool,
    /// The timer is being removed.
    is_stopping: bool,
    /// The timer fired since the last report.
    has_fired: bool,
    /// A window has ended since the timer was started last.
    has_ended_one: bool,
    /// A long window was cut for a short one, which has not begun.
    has_cut_one: bool,
}

impl TickTimer {
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self {
            is_enabled,
            wanted: Window::default(),
            started: Window::default(),
            is_running: false,
            is_stopping: false,
            has_fired: false,
            has_ended_one: false,
            has_cut_one: false,
        }
    }

    /// Sets the length of the windows from the next turn on.
    #[inline]
    pub(crate) fn want(&mut self, window: Window) {
        self.wanted = window;
    }

    /// Starts the timer unless it runs. A timer of another length than is wanted is removed first, a short one once it
    /// has fired: the call after its last completion starts it anew.
    #[inline]
    pub(crate) fn start(&mut self, driver: &mut Driver) {
        if !self.is_running {
            if self.is_enabled {
                self.is_running = true;
                self.has_ended_one = false;
                self.started = match std::mem::take(&mut self.has_cut_one) {
                    true => Window::Short,
                    false => self.wanted,
                };
                driver.start_tick(self.started);
            }
        } else if self.started != self.wanted {
            self.has_cut_one = self.started == Window::Long;
            if self.has_cut_one || self.has_ended_one {
                self.stop(driver);
            }
        }
    }

    /// Removes the timer if it runs; a completion confirms it.
    pub(crate) fn stop(&mut self, driver: &mut Driver) {
        if self.is_running && !self.is_stopping {
            self.is_stopping = true;
            driver.stop_tick();
        }
    }

    /// A completion of the timer came; `more` says whether it runs on. The kernel does not find a timer that is firing
    /// just then, so a timer that runs on may have to be removed again.
    pub(crate) fn complete(&mut self, result: i32, more: bool) {
        self.is_running = more;
        self.is_stopping = false;
        let has_fired = result == -libc::ETIME;
        self.has_fired |= has_fired;
        self.has_ended_one |= has_fired;
    }

    /// Reports a tick if there was one.
    pub(crate) fn report(&mut self, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.has_fired) {
            events.push(Event::Tick);
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Forgets a tick that has not been reported.
    pub(crate) fn forget(&mut self) {
        self.has_fired = false;
    }
}

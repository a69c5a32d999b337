//! The timer of the warm window, which runs from the first wait until the reactor parks.
//!
//! One timer entry serves many waits: a timeout given to each wait would cost every wait a timer that is set and
//! removed.

use crate::driver::Driver;
use crate::event::Event;

/// The state of the timer.
pub(crate) struct TickTimer {
    is_enabled: bool,
    /// The kernel owes a last completion.
    is_running: bool,
    /// The timer fired since the last report.
    has_fired: bool,
}

impl TickTimer {
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self {
            is_enabled,
            is_running: false,
            has_fired: false,
        }
    }

    /// Starts the timer unless it runs.
    pub(crate) fn start(&mut self, driver: &mut Driver) {
        if self.is_enabled && !self.is_running {
            self.is_running = true;
            driver.start_tick();
        }
    }

    /// Removes the timer if it runs; a completion confirms it.
    pub(crate) fn stop(&mut self, driver: &mut Driver) {
        if self.is_running {
            driver.stop_tick();
        }
    }

    /// A completion of the timer came; `more` says whether it runs on.
    pub(crate) fn complete(&mut self, result: i32, more: bool) {
        self.is_running = more;
        self.has_fired |= result == -libc::ETIME;
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

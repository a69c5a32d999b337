//! The timer of the warm window, which runs from the first turn until the reactor parks.
//!
//! ```text
//!   long window    |---------------------------------|   it ends, and the next one begins
//!   the caller wants short windows
//!                  |-----------| removed; started anew by the next turn
//!   short window               |-----|                   it ends
//! ```
//!
//! A window under way becomes shorter if the caller wants that, but never longer: so windows end even if the caller
//! wants another length in each turn.
//!
//! One timer entry serves many waits: a timeout given to each wait would cost every wait a timer that is set and
//! removed.

use crate::config::Window;
use crate::driver::Driver;
use crate::event::Event;

/// The state of the timer.
pub(crate) struct WindowTimer {
    is_enabled: bool,
    /// The window that the caller wants.
    wanted: Window,
    /// The window under way.
    window: Window,
    /// No window is under way: the last one has ended, and the next turn begins another.
    has_ended: bool,
    /// The window for which the timer was started last: not the one under way while the timer is being removed.
    started: Window,
    /// The kernel owes a last completion.
    is_running: bool,
    /// The timer is being removed.
    is_stopping: bool,
    /// The window for which the timer fired since the last report.
    fired: Option<Window>,
}

impl WindowTimer {
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self {
            is_enabled,
            wanted: Window::default(),
            window: Window::default(),
            has_ended: true,
            started: Window::default(),
            is_running: false,
            is_stopping: false,
            fired: None,
        }
    }

    /// Sets the length of the windows from the next turn on.
    #[inline]
    pub(crate) fn want(&mut self, window: Window) {
        self.wanted = window;
    }

    /// Starts the timer unless it runs. A timer of another length than that of the window under way is removed first:
    /// the call after its last completion starts it anew.
    #[inline]
    pub(crate) fn start(&mut self, driver: &mut Driver) {
        if std::mem::take(&mut self.has_ended) || self.wanted == Window::Short {
            self.window = self.wanted;
        }
        if !self.is_running {
            if self.is_enabled {
                self.is_running = true;
                self.started = self.window;
                driver.start_window(self.started);
            }
        } else if self.started != self.window {
            self.stop(driver);
        }
    }

    /// Removes the timer if it runs; a completion confirms it.
    pub(crate) fn stop(&mut self, driver: &mut Driver) {
        if self.is_running && !self.is_stopping {
            self.is_stopping = true;
            driver.stop_window();
        }
    }

    /// A completion of the timer came; `more` says whether it runs on. The kernel does not find a timer that is firing
    /// just then, so a timer that runs on may have to be removed again.
    pub(crate) fn complete(&mut self, result: i32, more: bool) {
        self.is_running = more;
        self.is_stopping = false;
        if result == -libc::ETIME {
            self.fired = Some(self.started);
            self.has_ended = true;
        }
    }

    /// Reports the end of a window if one has ended; returns whether one has.
    #[inline]
    pub(crate) fn report(&mut self, events: &mut Vec<Event>) -> bool {
        let fired = self.fired.take();
        events.extend(fired.map(|window| Event::WindowEnded { window }));
        fired.is_some()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running
    }

    /// Forgets the window under way, and an end of one that has not been reported.
    pub(crate) fn forget(&mut self) {
        self.has_ended = true;
        self.fired = None;
    }
}

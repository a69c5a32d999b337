//! Time: the warm window, and the pauses of listeners after a failed accept.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::config::{ReactorConfig, Window};
use crate::operation::{Completion, MORE};
use crate::user_data::UserData;

use super::calls;

/// Two timerfds: one that repeats while the reactor is warm, one for the pause that ends next.
pub(super) struct Timers {
    pub(super) window: OwnedFd,
    short_window: Duration,
    long_window: Duration,
    is_started: bool,
    pub(super) retry: OwnedFd,
    accept_retry: Duration,
    /// The accepts that pause, and when each pause ends.
    paused: Vec<(Instant, UserData)>,
}

impl Timers {
    pub(super) fn new(config: &ReactorConfig) -> std::io::Result<Timers> {
        Ok(Timers {
            window: calls::timer()?,
            short_window: config.short_window,
            long_window: config.long_window,
            is_started: false,
            retry: calls::timer()?,
            accept_retry: config.accept_retry,
            paused: Vec::new(),
        })
    }

    pub(super) fn start_window(&mut self, window: Window) {
        self.is_started = true;
        let length = match window {
            Window::Short => self.short_window,
            Window::Long => self.long_window,
        };
        calls::set_timer(&self.window, length, length);
    }

    /// Stops the windows; returns the last completion.
    pub(super) fn stop_window(&mut self) -> Completion {
        self.is_started = false;
        calls::set_timer(&self.window, Duration::ZERO, Duration::ZERO);
        ended(UserData::WINDOW, -libc::ECANCELED, 0)
    }

    /// The timer has fired: returns the end of a window, unless the timer was stopped meanwhile.
    pub(super) fn window_end(&self) -> Option<Completion> {
        let has_fired = calls::acknowledge(&self.window);
        (has_fired && self.is_started).then(|| ended(UserData::WINDOW, -libc::ETIME, MORE))
    }

    /// Starts the pause of an accept.
    pub(super) fn pause(&mut self, user_data: UserData) {
        let until = Instant::now() + self.accept_retry;
        self.paused.push((until, user_data));
        self.set_retry();
    }

    /// Ends the pauses whose time is over.
    pub(super) fn end_pauses(&mut self, completions: &mut Vec<Completion>) {
        calls::acknowledge(&self.retry);
        let now = Instant::now();
        self.paused.retain(|&(until, user_data)| {
            let is_over = until <= now;
            if is_over {
                completions.push(ended(user_data, -libc::ETIME, 0));
            }
            !is_over
        });
        self.set_retry();
    }

    fn set_retry(&self) {
        if let Some(first) = self.paused.iter().map(|(until, _)| *until).min() {
            // A time of zero would stop the timer.
            let left = first.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_nanos(1));
            calls::set_timer(&self.retry, left, Duration::ZERO);
        }
    }
}

fn ended(user_data: UserData, result: i32, flags: u32) -> Completion {
    Completion {
        user_data,
        result,
        flags,
    }
}

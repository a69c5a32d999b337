//! The pace of the network loop: when it lets other tasks run, and when it parks.
//!
//! ```text
//!   short window |--|    while something waits for its end: connections, the upkeep, the search for dead items
//!   long window  |---------------|    else; each end of a window wakes the thread
//!   park         after 64 ms of windows in which nothing came
//! ```
//!
//! A long window is cut short as soon as something waits for its end. The reactor sees to it that windows end although
//! that changes, and says which window has ended (`reactor/src/window_timer.rs`).

use corecached_reactor::{Event, Window};

/// Number of short windows without traffic (64 ms) after which the loop parks. glommio goes to sleep by `membarrier`,
/// which interrupts all other shards that run. Shards that have little to do for a moment, such as many shards on few
/// CPUs, must not do that each time.
const IDLE_WINDOWS: u32 = 32;
/// A long window takes as long as this many short ones.
const SHORT_IN_LONG: u32 = 8;

/// The action of the loop between two turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It parks, since nothing came for many windows.
    Park,
    /// It yields to the executor's other tasks, since a window has passed.
    Yield,
    /// It goes on at once.
    Run,
}

/// What the pace is chosen by.
#[derive(Debug)]
pub(super) struct Pacing {
    /// Whether anything has come since the window began.
    is_busy: bool,
    /// Windows before it that passed without anything, in short ones.
    idle_windows: u32,
}

impl Pacing {
    pub(super) fn new() -> Pacing {
        Pacing {
            is_busy: true,
            idle_windows: 0,
        }
    }

    /// Chooses the pace by the events of a turn. Also returns how many short windows have passed: 0 unless a window
    /// has ended.
    #[inline]
    pub(super) fn turn(&mut self, events: &[Event]) -> (Pace, u32) {
        let ended = events.iter().find_map(|event| match event {
            Event::WindowEnded { window } => Some(*window),
            _ => None,
        });
        self.is_busy |= events.len() > usize::from(ended.is_some());
        let passed = match ended {
            None => return (Pace::Run, 0),
            Some(Window::Short) => 1,
            Some(Window::Long) => SHORT_IN_LONG,
        };
        self.idle_windows = match std::mem::take(&mut self.is_busy) {
            true => 0,
            false => self.idle_windows + passed,
        };
        let pace = match self.idle_windows < IDLE_WINDOWS {
            true => Pace::Yield,
            false => Pace::Park,
        };
        (pace, passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Event = Event::WindowEnded {
        window: Window::Short,
    };
    const LONG: Event = Event::WindowEnded {
        window: Window::Long,
    };

    /// The number of idle windows after which a busy loop parks.
    fn windows_until_park(window: impl Fn(usize) -> Event) -> usize {
        let mut pacing = Pacing::new();
        assert_eq!(pacing.turn(&[Event::Doorbell]), (Pace::Run, 0));
        assert_eq!(pacing.turn(&[SHORT]), (Pace::Yield, 1));
        let mut windows = 0;
        loop {
            let (pace, _) = pacing.turn(&[window(windows)]);
            windows += 1;
            if pace == Pace::Park {
                return windows;
            }
        }
    }

    #[test]
    fn it_parks_after_so_much_time_whatever_the_length_of_the_windows() {
        assert_eq!(windows_until_park(|_| SHORT), 32);
        assert_eq!(windows_until_park(|_| LONG), 4);
        let mixed = windows_until_park(|index| if index % 3 == 0 { LONG } else { SHORT });
        assert_eq!(mixed, 10, "(8 + 1 + 1) three times, and 8");
    }

    #[test]
    fn it_counts_the_windows_that_have_ended() {
        let mut pacing = Pacing::new();
        assert_eq!(pacing.turn(&[Event::Doorbell]).1, 0);
        assert_eq!(pacing.turn(&[SHORT]).1, 1);
        assert_eq!(pacing.turn(&[Event::Doorbell, LONG]).1, 8);
    }

    #[test]
    fn traffic_keeps_it_warm() {
        for window in [Window::Short, Window::Long] {
            let mut pacing = Pacing::new();
            for _ in 0..100 {
                assert_eq!(pacing.turn(&[Event::WindowEnded { window }]).0, Pace::Yield);
                assert_eq!(pacing.turn(&[Event::Doorbell]), (Pace::Run, 0));
            }
        }
    }
}

//! The pace of the network loop: when it lets other tasks run, and when it parks.
//!
//! ```text
//!   short window |--|    while something waits for its end: connections at rest, the upkeep, the search for dead items
//!   long window  |---------------|    else; each end of a window wakes the thread
//!   park         after 64 ms of windows in which nothing came
//! ```
//!
//! A long window is cut short as soon as something waits for its end. A short one is never made longer: its timer would
//! start anew, and where something waits in every other turn only, no window would ever end.

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
    /// The length of the window under way.
    window: Window,
    /// Whether the window began with the last turn.
    has_begun: bool,
    /// Whether anything has come since the window began.
    is_busy: bool,
    /// Windows before it that passed without anything, in short ones.
    idle_windows: u32,
}

impl Pacing {
    pub(super) fn new() -> Pacing {
        Pacing {
            window: Window::Short,
            has_begun: true,
            is_busy: true,
            idle_windows: 0,
        }
    }

    /// Chooses the pace by the events of a turn. Also returns how many short windows have passed: 0 unless the window
    /// has ended.
    #[inline]
    pub(super) fn turn(&mut self, events: &[Event]) -> (Pace, u32) {
        let has_ended = events.iter().any(|event| matches!(event, Event::Tick));
        self.is_busy |= events.len() > usize::from(has_ended);
        self.has_begun = has_ended;
        if !has_ended {
            return (Pace::Run, 0);
        }
        let passed = match self.window {
            Window::Short => 1,
            Window::Long => SHORT_IN_LONG,
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

    /// Chooses the length of the window under way by the one that is wanted after a turn; returns it.
    #[inline]
    pub(super) fn choose_window(&mut self, wanted: Window) -> Window {
        if self.has_begun || wanted == Window::Short {
            self.window = wanted;
        }
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_parks_after_so_much_time_whatever_the_length_of_the_windows() {
        for (window, turns) in [(Window::Short, 33), (Window::Long, 5)] {
            let mut pacing = Pacing::new();
            assert_eq!(pacing.choose_window(window), window);
            let mut paces = (0..turns).map(|_| pacing.turn(&[Event::Tick]).0);
            assert!(
                paces
                    .by_ref()
                    .take(turns - 1)
                    .all(|pace| pace == Pace::Yield)
            );
            assert_eq!(paces.next(), Some(Pace::Park));
        }
    }

    #[test]
    fn a_window_is_cut_short_but_never_made_longer() {
        let mut pacing = Pacing::new();
        let mut turn = |event, wanted| {
            let (_, passed) = pacing.turn(&[event]);
            (passed, pacing.choose_window(wanted))
        };
        assert_eq!(turn(Event::Doorbell, Window::Long), (0, Window::Short));
        assert_eq!(turn(Event::Tick, Window::Long), (1, Window::Long));
        assert_eq!(turn(Event::Doorbell, Window::Long), (0, Window::Long));
        for _ in 0..10 {
            assert_eq!(turn(Event::Doorbell, Window::Short), (0, Window::Short));
            assert_eq!(turn(Event::Doorbell, Window::Long), (0, Window::Short));
        }
        assert_eq!(turn(Event::Tick, Window::Long), (1, Window::Long));
        assert_eq!(turn(Event::Tick, Window::Long), (8, Window::Long));
    }

    #[test]
    fn traffic_keeps_it_warm() {
        let mut pacing = Pacing::new();
        for _ in 0..100 {
            assert_eq!(pacing.turn(&[Event::Tick]), (Pace::Yield, 1));
            assert_eq!(pacing.turn(&[Event::Doorbell]), (Pace::Run, 0));
        }
    }
}

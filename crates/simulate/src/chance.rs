//! What the seed decides: when a thread is interrupted, and which one goes on.

use crate::rng::Rng;

/// Something that happens once in some steps on average.
#[derive(Debug)]
pub(crate) struct Chance {
    mean: usize,
    left: usize,
}

impl Chance {
    pub(crate) fn one_in(mean: usize) -> Self {
        Self { mean, left: mean }
    }

    /// Whether it happens at this step.
    pub(crate) fn passes(&mut self, rng: &mut Rng) -> bool {
        self.left -= 1;
        let happens = self.left == 0;
        if happens {
            self.left = 1 + rng.below(2 * self.mean - 1);
        }
        happens
    }
}

/// A thread stands still for up to two to this power of turns of others.
const STILL_BITS: usize = 13;

/// Which threads may go on, and how often.
#[derive(Debug)]
pub(crate) struct Pace {
    turn: u64,
    threads: Vec<Runner>,
    /// An interrupted thread stands still once in so many times.
    still_one_in: usize,
}

#[derive(Debug)]
struct Runner {
    has_ended: bool,
    /// Of a slow thread, only one in so many chances to go on is taken.
    slowness: usize,
    /// It stands still until this turn.
    still_until: u64,
}

impl Pace {
    pub(crate) fn new(rng: &mut Rng, threads: usize) -> Self {
        let slow_one_in = rng.one_of(&[2, 4, usize::MAX]);
        let threads = (0..threads).map(|_| Runner {
            has_ended: false,
            slowness: if rng.one_in(slow_one_in) { 50 } else { 1 },
            still_until: 0,
        });
        Self {
            turn: 0,
            threads: threads.collect(),
            still_one_in: rng.one_of(&[10, 100, 1000]),
        }
    }

    /// The thread that goes on; `None` when all have ended.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Option<usize> {
        self.turn += 1;
        if self.threads.iter().all(|thread| thread.has_ended) {
            return None;
        }
        loop {
            let next = rng.below(self.threads.len());
            let thread = &self.threads[next];
            if thread.has_ended || !rng.one_in(thread.slowness) {
                continue;
            }
            // Where all stand still, time passes.
            if thread.still_until <= self.turn {
                return Some(next);
            }
            self.turn += 1;
        }
    }

    /// The thread was interrupted.
    pub(crate) fn rests(&mut self, rng: &mut Rng, thread: usize) {
        if rng.one_in(self.still_one_in) {
            let most = 1 << rng.below(STILL_BITS);
            self.threads[thread].still_until = self.turn + rng.below(most) as u64;
        }
    }

    pub(crate) fn ends(&mut self, thread: usize) {
        self.threads[thread].has_ended = true;
    }
}

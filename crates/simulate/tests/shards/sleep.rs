//! Where shards sleep. The server's code decides whether a shard sleeps and who is rung; here it sleeps, until it is
//! rung, its clients send something, or the timer fires, if it has one. A ring that is not sent is missed: if all
//! clients wait for a shard that sleeps on, the world does not come to an end.

use std::cell::Cell;

use corecached_simulate::{Rng, steps};

/// The beds of all shards.
pub(crate) struct Beds(Vec<Bed>);

/// Where one shard sleeps.
pub(crate) struct Bed {
    /// A doorbell has been rung that the shard has not heard.
    is_rung: Cell<bool>,
    /// How many of its sleeps a ring has ended.
    woken: Cell<usize>,
    /// While the shard sleeps, its clients send something once in so many looks.
    pub(crate) thinks: usize,
    /// The shard parks before one sleep in so many. There is no timer in one sleep in so many.
    pub(crate) parks_one_in: usize,
    /// The longest sleep with a timer, in steps.
    window: usize,
}

impl Beds {
    pub(crate) fn new(rng: &mut Rng, shards: usize) -> Beds {
        let thinks = rng.one_of(&[1, 3, 30]);
        let parks_one_in = rng.one_of(&[1, 1, 3]);
        let window = rng.one_of(&[50, 2000]);
        let beds = (0..shards).map(|_| Bed {
            is_rung: Cell::default(),
            woken: Cell::default(),
            thinks,
            parks_one_in,
            window,
        });
        Beds(beds.collect())
    }

    pub(crate) fn of(&self, shard: usize) -> &Bed {
        &self.0[shard]
    }

    pub(crate) fn ring(&self, shards: &[usize]) {
        for &shard in shards {
            self.of(shard).is_rung.set(true);
        }
    }

    /// How many sleeps a ring has ended.
    pub(crate) fn woken(&self) -> usize {
        self.0.iter().map(|bed| bed.woken.get()).sum()
    }
}

impl Bed {
    /// The shard may sleep from now on. Returns what tells whether it still sleeps.
    pub(crate) fn lies_down(&self, rng: &mut Rng) -> impl Fn() -> bool + use<'_> {
        let until = match rng.one_in(self.parks_one_in) {
            true => u64::MAX,
            false => steps() + rng.below(self.window) as u64,
        };
        move || {
            let is_woken = self.is_rung.take();
            self.woken.set(self.woken.get() + usize::from(is_woken));
            !is_woken && steps() < until
        }
    }
}

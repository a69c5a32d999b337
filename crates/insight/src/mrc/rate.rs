//! Which part of all keys is followed: as many as there is room and time for.
//!
//! ```text
//!  too many keys     -> an eighth less --+
//!  too many samples,
//!  or some were lost -> half           --+--> cut: hashes below it are sampled
//!                                        |
//!  the keys that are left out go little by little; until the last one has gone, the small caches are so large
//!  as the part that is still there
//! ```
//!
//! The part only becomes smaller: a key that was left out has a past that nobody knows. SHARDS with a fixed number of
//! samples: C. Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015.

/// Samples that may come at once before the part becomes smaller, as a burst.
const BURST: f64 = 100_000.0;
/// The part is not made smaller than this: 1 in some 16 million.
const CUT_MIN: u32 = 1 << 8;
/// Hashes below one more than this are all of them.
const WHOLE: f64 = 4_294_967_296.0;

/// The sampled part of all keys.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    cut: u32,
    /// The part that the keys which are followed stand for when the present walk over them began.
    before: f64,
    /// Entries of the present walk that are left to look at, and all of them.
    left: usize,
    all: usize,
    /// Samples that may still come.
    credit: f64,
    credit_per_second: f64,
    second: u32,
}

impl Rate {
    /// All keys, and so many samples a second for a long time.
    pub(super) fn new(samples_per_second: f64) -> Rate {
        Rate {
            cut: u32::MAX,
            before: 1.0,
            left: 0,
            all: 0,
            credit: BURST,
            credit_per_second: samples_per_second,
            second: 0,
        }
    }

    /// Hashes whose low 32 bits are below this are sampled.
    pub(super) fn cut(&self) -> u32 {
        self.cut
    }

    /// Part of all keys that is sampled now.
    pub(super) fn sampled(&self) -> f64 {
        match self.cut {
            u32::MAX => 1.0,
            cut => f64::from(cut) / WHOLE,
        }
    }

    /// Part of all keys that is followed now: more than what is sampled while a walk is under way.
    pub(super) fn followed(&self) -> f64 {
        let sampled = self.sampled();
        if self.left == 0 {
            return sampled;
        }
        sampled + (self.before - sampled) * self.left as f64 / self.all as f64
    }

    /// Whether a walk is under way that takes out keys which are no longer sampled.
    pub(super) fn is_walking(&self) -> bool {
        self.left > 0
    }

    /// Notes that a walk has looked at one more entry.
    pub(super) fn looked(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Samples seven eighths of the keys from now on. All `entries` have to be looked at.
    pub(super) fn lower(&mut self, entries: usize) {
        self.lower_to(self.cut - self.cut / 8, entries);
    }

    fn lower_to(&mut self, cut: u32, entries: usize) {
        if cut < CUT_MIN || cut == self.cut {
            return;
        }
        self.before = self.followed();
        self.cut = cut;
        (self.left, self.all) = (entries, entries);
    }

    /// Accounts for a sample. If there have been too many, half of the keys are sampled from now on.
    pub(super) fn spend(&mut self, entries: usize) {
        self.credit -= 1.0;
        if self.credit < 0.0 {
            self.credit = BURST / 2.0;
            self.halve(entries);
        }
    }

    /// Samples half of the keys from now on, since more samples come than can be taken.
    pub(super) fn halve(&mut self, entries: usize) {
        self.lower_to(self.cut / 2, entries);
    }

    /// Time passes, which gives new credit.
    pub(super) fn advance(&mut self, now: u32) {
        let seconds = f64::from(now.saturating_sub(self.second));
        self.second = self.second.max(now);
        self.credit = (self.credit + seconds * self.credit_per_second).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_is_followed_shrinks_with_the_walk() {
        let mut rate = Rate::new(100.0);
        rate.lower(1000);
        assert!((rate.sampled() - 0.875).abs() < 1e-6);
        assert!((rate.followed() - 1.0).abs() < 1e-6 && rate.is_walking());
        (0..500).for_each(|_| rate.looked());
        assert!((rate.followed() - 0.9375).abs() < 1e-6);
        // A further cut begins where the first one had come to.
        rate.lower(1000);
        assert!((rate.followed() - 0.9375).abs() < 1e-6);
        (0..1000).for_each(|_| rate.looked());
        assert_eq!(
            (rate.followed(), rate.is_walking()),
            (rate.sampled(), false)
        );
    }

    #[test]
    fn too_many_samples_halve_the_part_and_a_quiet_time_earns_credit() {
        let mut rate = Rate::new(1000.0);
        rate.advance(10);
        (0..BURST as u32).for_each(|_| rate.spend(10));
        assert_eq!(rate.cut(), u32::MAX);
        rate.spend(10);
        assert_eq!(rate.cut(), u32::MAX / 2);
        // As many as are earned can be spent for ever.
        for second in 11..500 {
            rate.advance(second);
            (0..1000).for_each(|_| rate.spend(10));
        }
        assert_eq!(rate.cut(), u32::MAX / 2);
        (0..100).for_each(|_| rate.lower(10));
        assert!(rate.cut() < 10_000);
        (0..1000).for_each(|_| rate.lower(10));
        assert!(rate.cut() >= CUT_MIN);
    }
}

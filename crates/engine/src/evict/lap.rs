//! How long a round of the eviction hand takes, counted in evictions.
//!
//! Where one-hit wonders and scans pass through probation, the hand stands nearly still, and the items in the rest of
//! the class stay long; where the hot set changes, the hand goes round quickly. An item that comes back within a lap
//! would have been found if it had been in the rest of the class and not on probation.

/// Sections of a lap that are measured one by one.
const SECTIONS: u64 = 8;

/// Measures how many evictions a round of the hand of one class takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lap {
    /// Chunks that the hand has passed in the section under way.
    passed: u64,
    /// When this section began, in evictions.
    began: u64,
    /// Evictions in a lap, estimated from the sections before; later ones count more.
    length: u64,
}

impl Default for Lap {
    /// Before the first section has ended nothing is known, so a lap has no end.
    fn default() -> Self {
        Self {
            passed: 0,
            began: 0,
            length: u64::MAX,
        }
    }
}

impl Lap {
    /// Notes that the hand of a class of so many chunks passes one of them.
    #[inline]
    pub(crate) fn advance(&mut self, chunks: u64, now: u64) {
        self.passed += 1;
        if self.passed * SECTIONS >= chunks {
            let length = (now - self.began) * chunks / self.passed;
            self.length = match self.length {
                u64::MAX => length,
                before => before.midpoint(length),
            };
            (self.passed, self.began) = (0, now);
        }
    }

    /// Evictions in a lap. If the part under way alone takes longer than the estimated lap, that time counts instead.
    #[inline]
    pub(crate) fn length(&self, now: u64) -> u64 {
        self.length.max(now - self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lap_follows_the_pace_of_the_hand() {
        let mut lap = Lap::default();
        let mut now = 1000;
        lap.began = now;
        assert_eq!(lap.length(now + 5), u64::MAX);
        let mut go = |lap: &mut Lap, chunks: u64, evictions: u64| {
            for _ in 0..chunks {
                now += evictions;
                lap.advance(800, now);
            }
            now
        };
        let now = go(&mut lap, 100, 3);
        assert_eq!(lap.length(now), 2400);
        // The hand becomes slower, then stands still.
        go(&mut lap, 800, 30);
        let now = go(&mut lap, 50, 30);
        assert!((23_000..24_000).contains(&lap.length(now)), "{lap:?}");
        assert_eq!(lap.length(now + 100_000), 101_500);
        go(&mut lap, 850, 1);
        let now = go(&mut lap, 800, 1);
        assert!((800..900).contains(&lap.length(now)), "{lap:?}");
        // A class of few chunks.
        let mut lap = Lap::default();
        for now in [10, 20, 30] {
            lap.advance(3, now);
        }
        assert_eq!(lap.length(30), 30);
    }
}

//! How many evictions a round of a small cache's hand takes: a copy of the engine's `evict/lap.rs`.

/// Parts of a lap that are measured one by one.
const PARTS: u64 = 8;

/// Measures the rounds of a hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lap {
    /// Places that the hand has passed in the part under way.
    passed: u64,
    /// When this part began, in evictions.
    began: u64,
    /// Evictions in a lap, estimated from the parts before; later parts count more.
    length: u64,
}

impl Default for Lap {
    /// Before the first part has ended nothing is known, so a lap has no end.
    fn default() -> Lap {
        Lap {
            passed: 0,
            began: 0,
            length: u64::MAX,
        }
    }
}

impl Lap {
    /// Notes that the hand of a cache with so many places passes one of them.
    pub(super) fn advance(&mut self, places: u64, now: u64) {
        self.passed += 1;
        if self.passed * PARTS >= places {
            let length = (now - self.began) * places / self.passed;
            self.length = match self.length {
                u64::MAX => length,
                before => before.midpoint(length),
            };
            (self.passed, self.began) = (0, now);
        }
    }

    /// Evictions in a lap. If the part under way alone takes longer than the estimated lap, that time counts instead.
    pub(super) fn length(&self, now: u64) -> u64 {
        self.length.max(now - self.began)
    }
}

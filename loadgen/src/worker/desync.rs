//! Telling a shift from corruption, on one connection.
//!
//! Replies are matched to requests by their order. A reply that is lost (or sent twice) makes every later one look like
//! a wrong answer to another request. A single value of another key may be either. A shift is consistent: the values
//! that come belong to requests at one and the same distance, reply after reply, while a corrupting server soon answers
//! the right key again, or keys at no constant distance.
//!
//! ```text
//!   asked   A B C D E          distance 1:  A gets B's value, B gets C's, C gets D's
//!   came      B C D E
//! ```

use crate::workload::keys::KeyId;
use crate::workload::verb::Verb;

/// The number of replies in a row that must agree on a distance. Two replies may agree by chance where a few keys are
/// most of the requests.
const AGREEING: u32 = 3;
/// A server that always answers with one and the same key is not shifted, however often that key is asked for: after so
/// many replies that speak of one key only, it is called corrupt.
const SAME_KEY_MAX: u32 = 16;

/// Distances at which a value's key was asked for: bit 0 for the request answered last (a reply came twice), bit `n`
/// for the `n`-th request after the one it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Distances(u64);

impl Distances {
    /// The largest distance that is looked for.
    pub(crate) const MAX: usize = 63;

    /// Adds a distance.
    pub(crate) fn insert(&mut self, distance: usize) {
        if distance <= Self::MAX {
            self.0 |= 1 << distance;
        }
    }

    fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the only distance left is that of a reply that came twice.
    fn is_repetition(self) -> bool {
        self.0 == 1
    }
}

/// The key whose value a reply brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shown {
    /// The reply brought no value, or a value that does not show its key.
    #[default]
    Nothing,
    /// The key that was asked for.
    Own,
    /// Another key, by its mark, which was asked for at these distances.
    Other(u64, Distances),
}

/// The judgement after a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Nothing is wrong, or nothing is known yet.
    None,
    /// This many values were wrong; the text describes the first.
    Corrupt(u64, String),
    /// The connection's replies are shifted, as the description shows.
    Shifted(String),
}

/// The evidence for a shift so far.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    distances: Distances,
    replies: u32,
    first_mark: u64,
    keys_differ: bool,
    example: String,
    /// The request that was answered last.
    pub(crate) answered: Option<(Verb, KeyId)>,
}

impl Suspicion {
    /// Weighs a reply; `describe` describes the value that came and the one that was asked for.
    pub(crate) fn weigh(&mut self, shown: Shown, describe: impl FnOnce() -> String) -> Judgement {
        match shown {
            Shown::Nothing => Judgement::None,
            Shown::Own if self.replies == 0 => Judgement::None,
            Shown::Own => self.dismiss(),
            Shown::Other(mark, distances) => self.suspect(mark, distances, describe),
        }
    }

    #[cold]
    fn suspect(
        &mut self,
        mark: u64,
        distances: Distances,
        describe: impl FnOnce() -> String,
    ) -> Judgement {
        let common = self.distances.common(distances);
        let mut judgement = Judgement::None;
        if self.replies > 0 && common.is_empty() {
            judgement = self.dismiss();
        }
        if self.replies == 0 {
            if distances.is_empty() {
                return merge(judgement, Judgement::Corrupt(1, describe()));
            }
            self.first_mark = mark;
            self.example = describe();
            self.distances = distances;
        } else {
            self.distances = common;
            self.keys_differ |= mark != self.first_mark;
        }
        self.replies += 1;
        match (self.keys_differ, self.replies) {
            (true, AGREEING..) => Judgement::Shifted(std::mem::take(&mut self.example)),
            (false, SAME_KEY_MAX..) => merge(judgement, self.dismiss()),
            _ => judgement,
        }
    }

    /// The values under suspicion were corrupt.
    fn dismiss(&mut self) -> Judgement {
        let judgement =
            Judgement::Corrupt(u64::from(self.replies), std::mem::take(&mut self.example));
        *self = Self {
            answered: self.answered,
            ..Self::default()
        };
        judgement
    }

    /// Judges the values still under suspicion at the end of a phase: a shift leaves requests without a reply, or
    /// had a reply too many.
    pub(crate) fn conclude(&mut self, has_outstanding: bool) -> Judgement {
        match self.replies {
            0 => Judgement::None,
            _ if has_outstanding || self.distances.is_repetition() => {
                self.replies = 0;
                Judgement::Shifted(std::mem::take(&mut self.example))
            }
            _ => self.dismiss(),
        }
    }
}

fn merge(first: Judgement, second: Judgement) -> Judgement {
    match (first, second) {
        (Judgement::Corrupt(a, example), Judgement::Corrupt(b, _)) => {
            Judgement::Corrupt(a + b, example)
        }
        (Judgement::None, second) => second,
        (first, _) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(distances: &[usize]) -> Distances {
        let mut all = Distances::default();
        distances.iter().for_each(|&distance| all.insert(distance));
        all
    }

    fn weigh(suspicion: &mut Suspicion, shown: Shown) -> Judgement {
        suspicion.weigh(shown, || "example".to_owned())
    }

    #[test]
    fn three_values_at_one_distance_are_a_shift() {
        for distance in [0, 1, 2, 63] {
            let mut suspicion = Suspicion::default();
            for mark in 1..=2 {
                let shown = Shown::Other(mark, at(&[distance, 7]));
                assert_eq!(weigh(&mut suspicion, shown), Judgement::None);
                assert_eq!(weigh(&mut suspicion, Shown::Nothing), Judgement::None);
            }
            let last = weigh(&mut suspicion, Shown::Other(3, at(&[distance])));
            assert_eq!(last, Judgement::Shifted("example".to_owned()));
        }
    }

    #[test]
    fn a_right_value_in_between_makes_it_corruption() {
        let mut suspicion = Suspicion::default();
        for _ in 0..10 {
            assert_eq!(
                weigh(&mut suspicion, Shown::Other(1, at(&[1]))),
                Judgement::None
            );
            assert_eq!(
                weigh(&mut suspicion, Shown::Own),
                Judgement::Corrupt(1, "example".to_owned())
            );
        }
        assert_eq!(weigh(&mut suspicion, Shown::Own), Judgement::None);
    }

    #[test]
    fn keys_that_nobody_asked_for_and_one_key_for_all_are_corruption() {
        let mut suspicion = Suspicion::default();
        let nobody = Shown::Other(1, Distances::default());
        assert_eq!(
            weigh(&mut suspicion, nobody),
            Judgement::Corrupt(1, "example".to_owned())
        );
        let mut corrupt = 0;
        for _ in 0..SAME_KEY_MAX {
            match weigh(&mut suspicion, Shown::Other(9, at(&[1, 2, 5]))) {
                Judgement::Corrupt(count, _) => corrupt += count,
                Judgement::None => {}
                Judgement::Shifted(_) => panic!("a single key is no shift"),
            }
        }
        assert_eq!(corrupt, u64::from(SAME_KEY_MAX));
    }

    #[test]
    fn values_at_varying_distances_are_corruption() {
        let mut suspicion = Suspicion::default();
        let mut corrupt = 0;
        for mark in 0..100u64 {
            let shown = Shown::Other(mark, at(&[1 + (mark % 7) as usize]));
            match weigh(&mut suspicion, shown) {
                Judgement::Corrupt(count, _) => corrupt += count,
                Judgement::None => {}
                Judgement::Shifted(_) => panic!("the distance changes"),
            }
        }
        match suspicion.conclude(false) {
            Judgement::Corrupt(count, _) => corrupt += count,
            other => panic!("{other:?}"),
        }
        assert_eq!(corrupt, 100);
    }

    #[test]
    fn the_end_decides_by_what_is_left() {
        let mut suspicion = Suspicion::default();
        weigh(&mut suspicion, Shown::Other(1, at(&[1])));
        assert_eq!(
            suspicion.conclude(true),
            Judgement::Shifted("example".to_owned())
        );
        assert_eq!(suspicion.conclude(true), Judgement::None);
        weigh(&mut suspicion, Shown::Other(1, at(&[1])));
        assert!(matches!(
            suspicion.conclude(false),
            Judgement::Corrupt(1, _)
        ));
    }
}

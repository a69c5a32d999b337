//! Which requests are looked at, and the buffer of those that the estimator has not seen yet. One for each shard.
//!
//! ```text
//!            requests of a second   0 ... 128 ... 384 ... 896 ...          looked at for hot keys:
//!            one in                     1       2       4    ... 256       128 requests at each interval
//!            of the next second     begins with the last interval, if 64 requests were looked at
//!
//!            low 32 bits of the hash  0 |#####cut.......................|  the estimator sees all requests for the
//!                                                                          keys whose hashes are below the cut
//! ```
//!
//! A quiet server's hot keys are known from every request, and a busy one does not notice that they are looked for: one
//! request in 256 is counted then, for 256. Intervals are drawn at random around their mean, so that no rhythm of the
//! clients meets them.

use std::collections::VecDeque;

use crate::hot::HotKeys;

/// Samples that wait for the estimator; further ones are lost, and counted.
pub const BUFFERED_MAX: usize = 4096;
/// The longest interval of requests that are looked at for hot keys.
const INTERVAL_MAX: u32 = 256;
/// Requests that are looked at in a second at one length of the interval before it doubles.
const TAKEN_PER_INTERVAL: u32 = 128;
/// After a second in which fewer requests were looked at, intervals are shorter. So under a steady load some 100
/// requests are looked at in a second.
const TAKEN_MIN: u32 = 64;
/// Intervals become shorter by this factor for each such second.
const SHORTENED_BY: u32 = 4;
/// After so many of them even the longest interval is down to one request.
const SECONDS_REMEMBERED: u32 = 4;

/// What a request did with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A get found the item.
    Hit,
    /// A get found nothing.
    Miss,
    /// The item was stored.
    Store,
    /// The item was used, and perhaps changed, by anything that is neither a counted get nor stores all of it.
    Use,
    /// The item was deleted.
    Remove,
}

/// A request for one of the keys that the estimator sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Hash of the key.
    pub hash: u64,
    /// What was done.
    pub kind: Kind,
    /// Bytes of the item afterwards; 0 where there is no item.
    pub bytes: u32,
    /// Second in which the item dies, afterwards; 0 for never.
    pub deadline: u32,
    /// The present second.
    pub now: u32,
}

/// Decides which requests are looked at for hot keys.
#[derive(Clone, Debug)]
pub struct Interval {
    /// One request in so many is taken.
    length: u32,
    /// Requests taken in this second at this length, and at all lengths.
    taken: u32,
    taken_at_all: u32,
    second: u32,
    random: u32,
}

impl Interval {
    /// Intervals whose random part comes from a seed.
    #[must_use]
    pub fn new(seed: u32) -> Interval {
        Interval {
            length: 1,
            taken: 0,
            taken_at_all: 0,
            second: 0,
            random: seed | 1,
        }
    }

    /// A request is taken in this second. Returns for how many requests it counts, and how many come until the next one
    /// is taken.
    pub fn take(&mut self, now: u32) -> (u32, u32) {
        let weight = self.length;
        if self.second != now {
            self.begin_second(now);
        }
        self.taken += 1;
        self.taken_at_all += 1;
        if self.taken >= TAKEN_PER_INTERVAL && self.length < INTERVAL_MAX {
            (self.taken, self.length) = (0, 2 * self.length);
        }
        // xorshift32
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        // From 1 to twice the length less 1: the length on average.
        (weight, 1 + self.random % (2 * self.length - 1))
    }

    fn begin_second(&mut self, now: u32) {
        let passed = now.abs_diff(self.second).min(SECONDS_REMEMBERED);
        // All but the last second in which a request was taken have seen none.
        let quiet = match self.taken_at_all < TAKEN_MIN {
            true => passed,
            false => passed - 1,
        };
        let length = self.length / SHORTENED_BY.pow(quiet);
        (self.second, self.length) = (now, length.max(1));
        (self.taken, self.taken_at_all) = (0, 0);
    }
}

/// One shard's sampler, with its hot keys.
#[derive(Debug)]
pub struct Sampler {
    /// Requests until the next one is looked at for hot keys.
    left: u32,
    /// The estimator sees hashes whose low 32 bits are below this.
    cut: u32,
    interval: Interval,
    /// `None` if hot keys are not wanted.
    hot: Option<Box<HotKeys>>,
    waiting: VecDeque<Access>,
    lost: u64,
}

impl Sampler {
    /// A sampler that has seen nothing. Without `estimates` no request is kept for an estimator.
    #[must_use]
    pub fn new(seed: u32, hot_keys: bool, estimates: bool) -> Sampler {
        Sampler {
            left: if hot_keys { 1 } else { u32::MAX },
            cut: if estimates { u32::MAX } else { 0 },
            interval: Interval::new(seed),
            hot: hot_keys.then(Box::default),
            waiting: VecDeque::with_capacity(if estimates { BUFFERED_MAX } else { 0 }),
            lost: 0,
        }
    }

    /// Counts a request for the key with this hash. If it returns true, [`Sampler::look`] has to be called for the
    /// request before the next call.
    #[inline]
    pub fn wants(&mut self, hash: u64) -> bool {
        self.left = self.left.wrapping_sub(1);
        (self.left == 0) | self.wants_access(hash)
    }

    /// Whether the estimator is to see requests for the key with this hash.
    #[inline]
    #[must_use]
    pub fn wants_access(&self, hash: u64) -> bool {
        (hash as u32) < self.cut
    }

    /// Counts a request for a hot key, if it is one of those that are looked at. `changes` says whether it is more than
    /// a lookup.
    pub fn look(&mut self, key: &[u8], hash: u64, changes: bool, now: u32) {
        if self.left > 0 {
            return;
        }
        let Some(hot) = &mut self.hot else {
            self.left = u32::MAX;
            return;
        };
        let (weight, left) = self.interval.take(now);
        self.left = left;
        hot.add(key, hash, weight, changes, now);
    }

    /// Whether there is room for a further sample. If not, the caller may spare itself the work of making one, and
    /// calls [`Sampler::lose`].
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.len() < BUFFERED_MAX
    }

    /// Keeps a request for the estimator.
    pub fn keep(&mut self, access: Access) {
        if self.has_room() {
            self.waiting.push_back(access);
        } else {
            self.lose(1);
        }
    }

    /// Counts samples that found no room.
    pub fn lose(&mut self, samples: u64) {
        self.lost += samples;
    }

    /// The hot keys, if they are wanted.
    pub fn hot_keys(&mut self) -> Option<&mut HotKeys> {
        self.hot.as_deref_mut()
    }

    /// Sets the range of hashes that the estimator sees: what [`crate::Estimator::cut`] says.
    pub fn set_cut(&mut self, cut: u32) {
        self.cut = cut;
    }

    /// Samples that wait for the estimator.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes up to `count` of the samples that wait, the oldest first.
    pub fn take(&mut self, count: usize) -> impl Iterator<Item = Access> + '_ {
        let count = count.min(self.waiting.len());
        self.waiting.drain(..count)
    }

    /// Samples that found no room since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Bytes of heap memory.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let hot = self.hot.as_ref().map_or(0, |hot| hot.held_bytes());
        hot + self.waiting.capacity() * size_of::<Access>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_servers_are_seen_whole_and_busy_ones_in_samples() {
        let mut interval = Interval::new(7);
        let mut run = |second: u32, requests: u32| {
            let (mut taken, mut counted, mut left) = (0, 0u64, 1);
            for _ in 0..requests {
                left -= 1;
                if left == 0 {
                    let (weight, next) = interval.take(second);
                    (taken, counted, left) = (taken + 1, counted + u64::from(weight), next);
                }
            }
            (taken, counted)
        };
        assert_eq!(run(1, 100), (100, 100));
        let (taken, counted) = run(2, 1_000_000);
        assert!((4_300..5_300).contains(&taken), "{taken}");
        assert!((950_000..1_050_000).contains(&counted), "{counted}");
        // The next second goes on with the last interval.
        let (taken, counted) = run(3, 30_000);
        assert!((90..150).contains(&taken), "{taken}");
        assert!((25_000..35_000).contains(&counted), "{counted}");
        // Under a steady load the interval becomes such that some 100 requests are looked at.
        for second in 4..10 {
            run(second, 1_500);
        }
        let (taken, counted) = run(10, 1_500);
        assert!((TAKEN_MIN..200).contains(&taken), "{taken}");
        assert!((1_200..1_800).contains(&counted), "{counted}");
        // A server that has been quiet for some seconds is seen whole again, once the interval under way has ended.
        run(11, 10);
        assert!((95..=100).contains(&run(16, 100).0));
    }

    #[test]
    fn a_full_buffer_loses_samples_and_says_so() {
        let mut sampler = Sampler::new(1, false, true);
        let access = |hash| Access {
            hash,
            kind: Kind::Miss,
            bytes: 0,
            deadline: 0,
            now: 1,
        };
        for hash in 0..BUFFERED_MAX as u64 + 3 {
            sampler.keep(access(hash));
        }
        assert_eq!((sampler.waiting(), sampler.take_lost()), (BUFFERED_MAX, 3));
        let first: Vec<u64> = sampler.take(2).map(|access| access.hash).collect();
        assert_eq!((first, sampler.waiting()), (vec![0, 1], BUFFERED_MAX - 2));
        assert_eq!(sampler.take_lost(), 0);
    }

    #[test]
    fn a_sampler_that_is_switched_off_wants_nothing() {
        let mut sampler = Sampler::new(1, false, false);
        assert!((0..100_000).all(|hash| !sampler.wants(hash)));
        assert_eq!(sampler.held_bytes(), 0);
    }
}

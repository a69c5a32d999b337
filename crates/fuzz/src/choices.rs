//! Where the choices of a generator come from: a seed, or the bytes that a fuzzer makes up.

/// A sequence of numbers, the same for the same source.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    source: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    /// The state of a splitmix64 generator.
    Seed(u64),
    /// Two bytes for each choice; zeros once they are used up.
    Bytes(&'a [u8]),
}

impl<'a> Choices<'a> {
    /// Endless choices from a seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Choices {
            source: Source::Seed(seed),
        }
    }

    /// The choices that `bytes` stand for, so that a fuzzer that changes a byte changes one choice.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Choices {
            source: Source::Bytes(bytes),
        }
    }

    /// Whether there are choices left that are not 0.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        matches!(self.source, Source::Bytes([]))
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        match &mut self.source {
            Source::Seed(state) => (splitmix(state) % bound as u64) as usize,
            Source::Bytes(bytes) => {
                let taken = bytes.len().min(2);
                let (now, later) = bytes.split_at(taken);
                *bytes = later;
                now.iter()
                    .fold(0, |number, &byte| number << 8 | usize::from(byte))
                    % bound
            }
        }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of `all`, which is not empty.
    pub fn of<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len())]
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// `len` bytes of any kind.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

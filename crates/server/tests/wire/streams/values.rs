//! Values that say whose they are: every piece of 16 bytes or so names the key and the place, so that bytes of another
//! value, or of another place, do not pass for these.

use rand::RngExt;
use rand::rngs::SmallRng;

/// Values of about one size.
pub(super) struct Kind {
    /// The size.
    pub(super) bytes: usize,
    /// Sizes around it: so many bytes less or more.
    around: &'static [isize],
    /// Keys of each size.
    keys: usize,
    /// How many in a request are on either side of a limit: of 256 pieces, of the bytes that are queued at most.
    pub(super) counts: &'static [usize],
}

/// The sizes at which a value is stored, copied, or sent otherwise.
pub(super) const KINDS: [Kind; 7] = [
    Kind {
        bytes: 100,
        around: &[0],
        keys: 40,
        counts: &[100, 300],
    },
    Kind {
        bytes: 4 << 10,
        around: &[-60, -1, 0, 1],
        keys: 20,
        counts: &[15, 16, 63, 64, 65],
    },
    Kind {
        bytes: 16 << 10,
        around: &[-1, 0, 1],
        keys: 40,
        counts: &[15, 16, 17, 63, 64, 127, 128, 129, 255, 257],
    },
    Kind {
        bytes: 20_000,
        around: &[0],
        keys: 300,
        counts: &[12, 13, 14, 126, 127, 128, 129, 254, 256, 258, 400],
    },
    Kind {
        bytes: 64 << 10,
        around: &[-1, 0, 1],
        keys: 20,
        counts: &[3, 4, 5, 16, 17],
    },
    Kind {
        bytes: 300_000,
        around: &[0],
        keys: 20,
        counts: &[1, 2, 7],
    },
    Kind {
        bytes: 1 << 20,
        around: &[-70, 0, 1],
        keys: 6,
        counts: &[1, 2, 4],
    },
];

/// The key with a number.
pub(super) fn name(key: usize) -> String {
    format!("key-{key}")
}

/// All values, by the number of their key.
pub(super) struct Values {
    values: Vec<Vec<u8>>,
    /// By kind: the first key, and the one after the last.
    kinds: Vec<(usize, usize)>,
}

impl Values {
    pub(super) fn new() -> Values {
        let (mut values, mut kinds) = (Vec::new(), Vec::new());
        for kind in &KINDS {
            let first = values.len();
            for around in kind.around {
                for _ in 0..kind.keys {
                    values.push(value(
                        values.len(),
                        kind.bytes.saturating_add_signed(*around),
                    ));
                }
            }
            kinds.push((first, values.len()));
        }
        Values { values, kinds }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn bytes(&self, key: usize) -> &[u8] {
        &self.values[key]
    }

    /// A key of a kind.
    pub(super) fn of_kind(&self, kind: &Kind, random: &mut SmallRng) -> usize {
        let index = KINDS.iter().position(|it| std::ptr::eq(it, kind));
        let (first, end) = self.kinds[index.unwrap_or(0)];
        random.random_range(first..end)
    }
}

fn value(key: usize, length: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(length + 32);
    while value.len() < length {
        value.extend_from_slice(format!("<{key}:{}>", value.len()).as_bytes());
    }
    value.truncate(length);
    value
}

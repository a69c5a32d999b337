//! Which key each request asks for: distributions over key numbers, and the bytes of a key.

use super::verb::KeySpace;
use crate::units::{parse_count, parse_share};
use corecached_client::KEY_BYTES_MAX;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Zipf};
use std::fmt;
use std::str::FromStr;

/// The number of a key within its key space, `0 .. keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KeyId(pub u64);

impl KeyId {
    /// A well mixed 64-bit hash of the number and its space, from which the key's size is drawn and with which its
    /// values are marked (the finalizer of `MurmurHash3`).
    #[inline]
    #[must_use]
    pub fn mix(self) -> u64 {
        let mut hash = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }
}

/// With a steeper law every request asks for the first key.
const ZIPF_EXPONENT_MAX: f64 = 20.0;

/// How requests spread over the keys, as given with `--key-dist`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyDistribution {
    /// Each key as often as any other.
    Uniform,
    /// Key number `n` (from 1) in proportion to `1 / n^exponent`.
    Zipf {
        /// 0.99 is YCSB's; 1 and above are fine.
        exponent: f64,
    },
    /// One after the other, each worker through its own part.
    Sequential,
    /// `requests` of the requests go to `keys` of the keys.
    Hotspot {
        /// Share of the keys that is hot.
        keys: f64,
        /// Share of the requests that go there.
        requests: f64,
    },
}

impl FromStr for KeyDistribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let arguments: Vec<&str> = parts.collect();
        match (name, arguments.as_slice()) {
            ("uniform", []) => Ok(Self::Uniform),
            ("sequential", []) => Ok(Self::Sequential),
            ("zipf", []) => Ok(Self::Zipf { exponent: 0.99 }),
            ("zipf", [exponent]) => parse_exponent(exponent),
            ("hotspot", [keys, requests]) => Ok(Self::Hotspot {
                keys: parse_open_share(keys)?,
                requests: parse_open_share(requests)?,
            }),
            _ => Err(format!(
                "unknown key distribution '{text}' (uniform, zipf:EXPONENT, sequential, or hotspot:KEYS:REQUESTS such as hotspot:1%:50%)"
            )),
        }
    }
}

fn parse_exponent(text: &str) -> Result<KeyDistribution, String> {
    match text.parse::<f64>() {
        Ok(exponent) if (0.0..=ZIPF_EXPONENT_MAX).contains(&exponent) => {
            Ok(KeyDistribution::Zipf { exponent })
        }
        _ => Err(format!(
            "'{text}' is not a zipf exponent (a number from 0 to {ZIPF_EXPONENT_MAX})"
        )),
    }
}

fn parse_open_share(text: &str) -> Result<f64, String> {
    let share = parse_share(text)?;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(format!("'{text}' must lie between 0% and 100%"))
    }
}

impl fmt::Display for KeyDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf { exponent } => write!(f, "zipf:{exponent}"),
            Self::Sequential => f.write_str("sequential"),
            Self::Hotspot { keys, requests } => {
                write!(f, "hotspot:{}%:{}%", keys * 100.0, requests * 100.0)
            }
        }
    }
}

/// Draws key numbers in constant time (zipf by rejection-inversion, so that no table grows with the key count).
#[derive(Debug, Clone)]
pub struct KeySampler {
    keys: u64,
    kind: SamplerKind,
}

#[derive(Debug, Clone)]
enum SamplerKind {
    Uniform,
    Zipf(Zipf<f64>),
    Sequential { next: u64 },
    Hotspot { hot_keys: u64, requests: f64 },
}

impl KeySampler {
    /// A sampler over `keys` keys for worker `worker` of `workers` (which matters to `sequential` only).
    pub fn new(
        distribution: KeyDistribution,
        keys: u64,
        worker: usize,
        workers: usize,
    ) -> Result<Self, String> {
        if keys == 0 {
            return Err("there must be at least one key".to_owned());
        }
        let kind = match distribution {
            KeyDistribution::Uniform => SamplerKind::Uniform,
            KeyDistribution::Zipf { exponent } => SamplerKind::Zipf(
                Zipf::new(keys as f64, exponent).map_err(|error| error.to_string())?,
            ),
            KeyDistribution::Sequential => SamplerKind::Sequential {
                next: (u128::from(keys) * worker as u128 / workers.max(1) as u128) as u64,
            },
            KeyDistribution::Hotspot {
                keys: share,
                requests,
            } => SamplerKind::Hotspot {
                hot_keys: ((keys as f64 * share).ceil() as u64).clamp(1, keys),
                requests,
            },
        };
        Ok(Self { keys, kind })
    }

    /// The next key.
    #[inline]
    pub fn sample(&mut self, rng: &mut SmallRng) -> KeyId {
        let number = match &mut self.kind {
            SamplerKind::Uniform => rng.random_range(0..self.keys),
            SamplerKind::Zipf(zipf) => (zipf.sample(rng) as u64).clamp(1, self.keys) - 1,
            SamplerKind::Sequential { next } => {
                let current = *next;
                *next = if current + 1 >= self.keys {
                    0
                } else {
                    current + 1
                };
                current
            }
            SamplerKind::Hotspot { hot_keys, requests } => {
                if *hot_keys == self.keys || rng.random::<f64>() < *requests {
                    rng.random_range(0..*hot_keys)
                } else {
                    rng.random_range(*hot_keys..self.keys)
                }
            }
        };
        KeyId(number)
    }
}

/// How key numbers become bytes: the prefix, a letter for the key space, then the number padded with zeros.
#[derive(Debug, Clone)]
pub struct KeyFormat {
    prefix: Vec<u8>,
    bytes: usize,
}

impl KeyFormat {
    /// Keys of `bytes` bytes that begin with `prefix`, for up to `keys` keys.
    pub fn new(prefix: &str, bytes: usize, keys: u64) -> Result<Self, String> {
        if prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err("a key prefix has no spaces or control characters".to_owned());
        }
        let digits = keys.saturating_sub(1).max(1).ilog10() as usize + 1;
        let least = prefix.len() + 1 + digits;
        if bytes < least || bytes > KEY_BYTES_MAX {
            return Err(format!(
                "keys of {bytes} bytes do not fit: the prefix and {keys} key numbers need {least}, and {KEY_BYTES_MAX} is the longest"
            ));
        }
        Ok(Self {
            prefix: prefix.as_bytes().to_vec(),
            bytes,
        })
    }

    /// The length of every key.
    #[must_use]
    pub fn key_bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the key of `id` in `space`.
    #[inline]
    pub fn render(&self, space: KeySpace, id: KeyId, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        out.push(space_letter(space));
        let digits_start = out.len();
        out.resize(digits_start + self.bytes - self.prefix.len() - 1, b'0');
        let mut number = id.0;
        for digit in out[digits_start..].iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    /// The number of a key of the values space, or nothing if these bytes are no such key.
    #[must_use]
    pub fn parse(&self, key: &[u8]) -> Option<KeyId> {
        let digits = key
            .strip_prefix(self.prefix.as_slice())?
            .strip_prefix(&[space_letter(KeySpace::Values)])?;
        if key.len() != self.bytes {
            return None;
        }
        digits
            .iter()
            .try_fold(0u64, |number, &digit| {
                digit.is_ascii_digit().then(|| {
                    number
                        .wrapping_mul(10)
                        .wrapping_add(u64::from(digit - b'0'))
                })
            })
            .map(KeyId)
    }
}

fn space_letter(space: KeySpace) -> u8 {
    match space {
        KeySpace::Values => b'v',
        KeySpace::Counters => b'n',
        KeySpace::Lists => b'l',
    }
}

/// A number of keys, `1M` and the like, within what a key can say.
pub fn parse_key_count(text: &str) -> Result<u64, String> {
    match parse_count(text)? {
        0 => Err("there must be at least one key".to_owned()),
        keys => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn keys_render_and_parse() {
        let format = KeyFormat::new("lg:", 24, 1000).unwrap();
        let mut key = Vec::new();
        format.render(KeySpace::Values, KeyId(987), &mut key);
        assert_eq!(key, b"lg:v00000000000000000987");
        assert_eq!(format.parse(&key), Some(KeyId(987)));
        assert_eq!(format.parse(b"lg:n00000000000000000987"), None);
        assert!(KeyFormat::new("a long prefix", 24, 10).is_err());
        assert!(KeyFormat::new("lg:", 6, 1000).is_err());
        assert!(KeyFormat::new("lg:", 7, 1000).is_ok());
    }

    #[test]
    fn distributions_parse() {
        assert_eq!("zipf".parse(), Ok(KeyDistribution::Zipf { exponent: 0.99 }));
        assert_eq!(
            "zipf:1.2".parse(),
            Ok(KeyDistribution::Zipf { exponent: 1.2 })
        );
        assert_eq!(
            "hotspot:1%:50%".parse(),
            Ok(KeyDistribution::Hotspot {
                keys: 0.01,
                requests: 0.5
            })
        );
        assert!("zipf:x".parse::<KeyDistribution>().is_err());
        assert!("gauss".parse::<KeyDistribution>().is_err());
    }

    #[test]
    fn sequential_workers_start_apart_and_wrap() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut sampler = KeySampler::new(KeyDistribution::Sequential, 4, 1, 2).unwrap();
        let drawn: Vec<u64> = (0..5).map(|_| sampler.sample(&mut rng).0).collect();
        assert_eq!(drawn, [2, 3, 0, 1, 2]);
    }

    #[test]
    fn hotspot_keeps_its_share() {
        let mut rng = SmallRng::seed_from_u64(1);
        let distribution = KeyDistribution::Hotspot {
            keys: 0.1,
            requests: 0.9,
        };
        let mut sampler = KeySampler::new(distribution, 1000, 0, 1).unwrap();
        let hot = (0..10_000)
            .filter(|_| sampler.sample(&mut rng).0 < 100)
            .count();
        assert!((8_800..9_200).contains(&hot), "{hot}");
    }

    /// Pearson's chi-square of one million draws, cells with fewer than ten expected draws taken together.
    fn chi_square(exponent: f64, keys: u64) -> (f64, f64) {
        const DRAWS: f64 = 1e6;
        let mut rng = SmallRng::seed_from_u64(77);
        let mut sampler = KeySampler::new(KeyDistribution::Zipf { exponent }, keys, 0, 1).unwrap();
        let mut counts = vec![0.0f64; keys as usize];
        (0..DRAWS as u64).for_each(|_| counts[sampler.sample(&mut rng).0 as usize] += 1.0);
        let weights: Vec<f64> = (1..=keys)
            .map(|rank| (rank as f64).powf(-exponent))
            .collect();
        let total: f64 = weights.iter().sum();
        let (mut statistic, mut cells) = (0.0, 0.0);
        let (mut rest_counted, mut rest_expected) = (0.0, 0.0);
        for (counted, weight) in counts.iter().zip(&weights) {
            let expected = DRAWS * weight / total;
            if expected >= 10.0 {
                statistic += (counted - expected).powi(2) / expected;
                cells += 1.0;
            } else {
                rest_counted += counted;
                rest_expected += expected;
            }
        }
        if rest_expected > 0.0 {
            statistic += (rest_counted - rest_expected).powi(2) / rest_expected;
            cells += 1.0;
        }
        (statistic, cells - 1.0)
    }

    #[test]
    fn zipf_passes_chi_square_for_any_exponent() {
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.3, 2.5] {
            let (statistic, freedom) = chi_square(exponent, 2000);
            // The statistic has mean `freedom` and variance `2 * freedom`: four standard deviations.
            let limit = freedom + 4.0 * (2.0 * freedom).sqrt();
            assert!(
                statistic < limit,
                "exponent {exponent}: {statistic} of {freedom}"
            );
        }
    }
}

//! Which operations a run makes, by weight: `--mix get=90,set=10`.

use super::verb::Verb;
use rand::RngExt;
use rand::rngs::SmallRng;
use std::fmt;
use std::str::FromStr;

/// The most keys one multi-get may ask for.
pub const MULTIGET_KEYS_MAX: usize = 1000;

/// Weights of verbs, and the number of keys of a multi-get.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    entries: Vec<(Verb, f64)>,
    multiget_keys: usize,
}

impl Mix {
    /// A mix of the given weights; `multiget_keys` is used if it contains [`Verb::MultiGet`].
    pub fn new(entries: &[(Verb, f64)], multiget_keys: usize) -> Result<Self, String> {
        if entries
            .iter()
            .any(|(_, weight)| !weight.is_finite() || *weight < 0.0)
            || entries.iter().all(|(_, weight)| *weight == 0.0)
        {
            return Err("the weights of a mix are numbers, and one is above 0".to_owned());
        }
        if !(1..=MULTIGET_KEYS_MAX).contains(&multiget_keys) {
            return Err(format!("a multiget asks for 1 to {MULTIGET_KEYS_MAX} keys"));
        }
        let entries = entries
            .iter()
            .copied()
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        Ok(Self {
            entries,
            multiget_keys,
        })
    }

    /// The verbs of the mix with their weights.
    #[must_use]
    pub fn entries(&self) -> &[(Verb, f64)] {
        &self.entries
    }

    /// Keys of one multi-get.
    #[must_use]
    pub fn multiget_keys(&self) -> usize {
        self.multiget_keys
    }

    /// Whether any verb of the mix satisfies `test`.
    pub fn any(&self, test: impl Fn(Verb) -> bool) -> bool {
        self.entries.iter().any(|(verb, _)| test(*verb))
    }

    /// The share of operations that satisfy `test`.
    pub fn share(&self, test: impl Fn(Verb) -> bool) -> f64 {
        let total: f64 = self.entries.iter().map(|(_, weight)| weight).sum();
        let chosen: f64 = self
            .entries
            .iter()
            .filter(|(verb, _)| test(*verb))
            .map(|(_, weight)| weight)
            .sum();
        chosen / total
    }

    /// The sampler of the mix.
    #[must_use]
    pub fn sampler(&self) -> MixSampler {
        MixSampler::new(&self.entries)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut multiget_keys = 10;
        let mut entries = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let weight = weight
                .parse::<f64>()
                .map_err(|_| format!("'{weight}' is not a weight (as in get=90,set=10)"))?;
            let (name, keys) = name
                .split_once(':')
                .map_or((name, None), |(name, keys)| (name, Some(keys)));
            let verb = Verb::parse(name.trim())?;
            match keys {
                Some(keys) if verb == Verb::MultiGet => {
                    multiget_keys = keys
                        .parse()
                        .map_err(|_| format!("'{keys}' is not a number of keys"))?;
                }
                Some(_) => return Err(format!("only multiget takes a number of keys, not {verb}")),
                None => {}
            }
            entries.push((verb, weight));
        }
        Self::new(&entries, multiget_keys)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (verb, weight)) in self.entries.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match verb {
                Verb::MultiGet => write!(f, "{comma}{verb}:{}={weight}", self.multiget_keys)?,
                _ => write!(f, "{comma}{verb}={weight}")?,
            }
        }
        Ok(())
    }
}

/// log2 of the sampler's table.
const TABLE_BITS: u32 = 12;

/// Draws verbs in constant time, from a table with each verb in proportion to its weight (to one part in 4096),
/// refined by a cumulative search so that small weights are exact.
#[derive(Debug, Clone)]
pub struct MixSampler {
    only: Option<Verb>,
    cumulative: Vec<(f64, Verb)>,
    first: Vec<u8>,
}

impl MixSampler {
    fn new(entries: &[(Verb, f64)]) -> Self {
        let total: f64 = entries.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let cumulative: Vec<(f64, Verb)> = entries
            .iter()
            .map(|(verb, weight)| {
                sum += weight / total;
                (sum, *verb)
            })
            .collect();
        let cells = 1u32 << TABLE_BITS;
        let first = (0..cells)
            .map(|cell| {
                let point = f64::from(cell) / f64::from(cells);
                cumulative
                    .iter()
                    .position(|(end, _)| point < *end)
                    .unwrap_or(cumulative.len() - 1) as u8
            })
            .collect();
        let only = if let [(verb, _)] = entries {
            Some(*verb)
        } else {
            None
        };
        Self {
            only,
            cumulative,
            first,
        }
    }

    /// The next verb.
    #[inline]
    pub fn sample(&self, rng: &mut SmallRng) -> Verb {
        if let Some(verb) = self.only {
            return verb;
        }
        let point = rng.random::<f64>();
        let start = usize::from(self.first[(point * f64::from(1u32 << TABLE_BITS)) as usize]);
        let last = self.cumulative.len() - 1;
        let offset = self.cumulative[start..last]
            .iter()
            .take_while(|(end, _)| point >= *end)
            .count();
        self.cumulative[start + offset].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn mixes_parse_and_print_alike() {
        for text in ["get=90,set=10", "multiget:50=1", "get=95,gat=5,mg=1"] {
            assert_eq!(text.parse::<Mix>().unwrap().to_string(), text);
        }
        for text in ["", "put=1", "get=x", "get=0", "get:5=1", "multiget:0=1"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }

    #[test]
    fn verbs_come_in_proportion_even_rare_ones() {
        let mix: Mix = "get=90000,set=9990,delete=10".parse().unwrap();
        let sampler = mix.sampler();
        let mut rng = SmallRng::seed_from_u64(9);
        let mut counts = [0u32; Verb::COUNT];
        for _ in 0..1_000_000 {
            counts[sampler.sample(&mut rng).index()] += 1;
        }
        assert!((898_000..902_000).contains(&counts[Verb::Get.index()]));
        assert!(
            (60..140).contains(&counts[Verb::Delete.index()]),
            "{}",
            counts[Verb::Delete.index()]
        );
        assert!((mix.share(Verb::writes_value) - 0.0999).abs() < 1e-9);
    }
}

//! How large values are. The same key always has the same size: the size is a function of the key's hash.

use super::keys::KeyId;
use crate::units::{format_bytes, parse_bytes, parse_weight};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal, Pareto};
use std::fmt;
use std::str::FromStr;

/// The largest value loadgen will send; memcached's own limit is `-I` (1 MiB by default).
pub const VALUE_BYTES_MAX: u64 = 64 << 20;

/// A distribution of sizes, as given with `--value-size`.
#[derive(Debug, Clone, PartialEq)]
pub enum SizeDistribution {
    /// Every value has this size.
    Fixed(u64),
    /// Uniform between two sizes, both included.
    Range(u64, u64),
    /// Log-normal with this median and sigma, cut at a maximum.
    LogNormal {
        /// Median size in bytes.
        median: u64,
        /// Standard deviation of the size's logarithm.
        sigma: f64,
        /// Larger draws are cut to this.
        bytes_max: u64,
    },
    /// Pareto with this minimum and shape, cut at a maximum.
    Pareto {
        /// Smallest size in bytes.
        scale: u64,
        /// The tail's exponent; smaller means heavier.
        shape: f64,
        /// Larger draws are cut to this.
        bytes_max: u64,
    },
    /// Sizes with weights.
    Weighted(Vec<(u64, f64)>),
}

const SIZE_HELP: &str = "a size (100), a range (10-1000), lognormal:MEDIAN:SIGMA:MAX, pareto:MIN:SHAPE:MAX, or a weighted list (100=70,1k=25,16k=5)";

impl FromStr for SizeDistribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let distribution = if let Some(arguments) = text.strip_prefix("lognormal:") {
            let (median, sigma, bytes_max) = three(arguments)?;
            Self::LogNormal {
                median,
                sigma,
                bytes_max,
            }
        } else if let Some(arguments) = text.strip_prefix("pareto:") {
            let (scale, shape, bytes_max) = three(arguments)?;
            Self::Pareto {
                scale,
                shape,
                bytes_max,
            }
        } else if text.contains('=') {
            Self::Weighted(text.split(',').map(weighted).collect::<Result<_, _>>()?)
        } else if let Some((least, most)) = text.split_once('-') {
            Self::Range(parse_size(least)?, parse_size(most)?)
        } else {
            Self::Fixed(parse_size(text)?)
        };
        distribution.validate()?;
        Ok(distribution)
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    match parse_bytes(text) {
        Ok(bytes) if bytes <= VALUE_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(format!(
            "{text} is above the largest value, {}",
            format_bytes(VALUE_BYTES_MAX as f64)
        )),
        Err(error) => Err(format!("{error}; a value size is {SIZE_HELP}")),
    }
}

fn three(text: &str) -> Result<(u64, f64, u64), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [first, second, third] = parts.as_slice() else {
        return Err(format!(
            "'{text}' needs three numbers: a value size is {SIZE_HELP}"
        ));
    };
    let shape = second
        .parse::<f64>()
        .map_err(|_| format!("'{second}' is not a number"))?;
    Ok((parse_size(first)?, shape, parse_size(third)?))
}

fn weighted(text: &str) -> Result<(u64, f64), String> {
    let (size, weight) = text
        .split_once('=')
        .ok_or_else(|| format!("'{text}' needs a weight: a value size is {SIZE_HELP}"))?;
    Ok((parse_size(size)?, parse_weight(weight)?))
}

impl SizeDistribution {
    fn validate(&self) -> Result<(), String> {
        let fine = match self {
            Self::Fixed(_) => true,
            Self::Range(least, most) => least <= most,
            Self::LogNormal {
                median,
                sigma,
                bytes_max,
            } => *median > 0 && *bytes_max > 0 && *sigma >= 0.0 && sigma.is_finite(),
            Self::Pareto {
                scale,
                shape,
                bytes_max,
            } => *scale > 0 && *bytes_max > 0 && *shape > 0.0 && shape.is_finite(),
            Self::Weighted(list) => list.iter().any(|(_, weight)| *weight > 0.0),
        };
        if fine {
            Ok(())
        } else {
            Err(format!(
                "value size '{self}' has no values: give {SIZE_HELP}"
            ))
        }
    }

    fn draw(&self, rng: &mut SmallRng) -> u64 {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Range(least, most) => rng.random_range(*least..=*most),
            Self::LogNormal {
                median,
                sigma,
                bytes_max,
            } => LogNormal::new((*median as f64).ln(), *sigma).map_or(*median, |normal| {
                (normal.sample(rng) as u64).clamp(1, *bytes_max)
            }),
            Self::Pareto {
                scale,
                shape,
                bytes_max,
            } => Pareto::new(*scale as f64, *shape)
                .map_or(*scale, |pareto| (pareto.sample(rng) as u64).min(*bytes_max)),
            Self::Weighted(list) => draw_weighted(list, rng),
        }
    }
}

fn draw_weighted(list: &[(u64, f64)], rng: &mut SmallRng) -> u64 {
    let total: f64 = list.iter().map(|(_, weight)| weight).sum();
    let mut point = rng.random::<f64>() * total;
    for (bytes, weight) in list {
        point -= weight;
        if point < 0.0 {
            return *bytes;
        }
    }
    list.last().map_or(0, |(bytes, _)| *bytes)
}

impl fmt::Display for SizeDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bytes) => write!(f, "{bytes}"),
            Self::Range(least, most) => write!(f, "{least}-{most}"),
            Self::LogNormal {
                median,
                sigma,
                bytes_max,
            } => write!(f, "lognormal:{median}:{sigma}:{bytes_max}"),
            Self::Pareto {
                scale,
                shape,
                bytes_max,
            } => write!(f, "pareto:{scale}:{shape}:{bytes_max}"),
            Self::Weighted(list) => {
                let parts: Vec<String> = list
                    .iter()
                    .map(|(bytes, weight)| format!("{bytes}={weight}"))
                    .collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}

/// log2 of the table's length: a tail of one key in 65,536 is still told apart, and the table stays in the L2 cache.
const TABLE_BITS: u32 = 16;

/// The size of each key's value: a table of the distribution's quantiles, indexed by the key's hash.
#[derive(Debug, Clone)]
pub struct SizeTable {
    fixed: Option<u32>,
    quantiles: Vec<u32>,
    mean: f64,
    bytes_max: u32,
}

impl SizeTable {
    /// Draws the table; the seed is fixed, so that every run and every worker agrees on every key's size.
    #[must_use]
    pub fn new(distribution: &SizeDistribution) -> Self {
        let mut rng = SmallRng::seed_from_u64(0x5ca1_ab1e);
        let fixed = match distribution {
            SizeDistribution::Fixed(bytes) => Some(*bytes as u32),
            _ => None,
        };
        let length = if fixed.is_some() {
            1
        } else {
            1usize << TABLE_BITS
        };
        let quantiles: Vec<u32> = (0..length)
            .map(|_| distribution.draw(&mut rng) as u32)
            .collect();
        let mean = quantiles.iter().map(|&bytes| f64::from(bytes)).sum::<f64>() / length as f64;
        let bytes_max = quantiles.iter().copied().max().unwrap_or(0);
        Self {
            fixed,
            quantiles,
            mean,
            bytes_max,
        }
    }

    /// The size of this key's value.
    #[inline]
    #[must_use]
    pub fn value_bytes(&self, key: KeyId) -> u32 {
        match self.fixed {
            Some(bytes) => bytes,
            None => self.quantiles[(key.mix() >> (u64::BITS - TABLE_BITS)) as usize],
        }
    }

    /// The mean over keys.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The largest size any key has.
    #[must_use]
    pub fn bytes_max(&self) -> u32 {
        self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_parse_and_print_alike() {
        for text in [
            "100",
            "10-1000",
            "lognormal:100:1.5:20000",
            "pareto:40:1.2:20000",
            "100=70,1024=30",
        ] {
            assert_eq!(text.parse::<SizeDistribution>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "9-1",
            "pareto:1:2",
            "x=1",
            "10=0",
            "1t",
            "10=nan",
            "10=inf",
        ]
        .into_iter()
        .chain([
            "lognormal:100:1:0",
            "lognormal:9:inf:10",
            "pareto:1:nan:9",
            "1e30",
        ]) {
            assert!(text.parse::<SizeDistribution>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_keeps_its_size_and_the_mean_is_right() {
        let table = SizeTable::new(&"10-30".parse().unwrap());
        let again = SizeTable::new(&"10-30".parse().unwrap());
        let sizes: Vec<u32> = (0..50_000).map(|id| table.value_bytes(KeyId(id))).collect();
        assert!((0..50_000).all(|id| again.value_bytes(KeyId(id)) == sizes[id as usize]));
        let mean = sizes.iter().map(|&bytes| f64::from(bytes)).sum::<f64>() / sizes.len() as f64;
        assert!((mean - 20.0).abs() < 0.2, "{mean}");
        assert!((table.mean() - 20.0).abs() < 0.2);
        assert_eq!(
            (sizes.iter().min(), sizes.iter().max()),
            (Some(&10), Some(&30))
        );
    }

    #[test]
    fn heavy_tails_are_cut_at_their_maximum() {
        let table = SizeTable::new(&"pareto:40:1.2:20000".parse().unwrap());
        assert_eq!(table.bytes_max(), 20_000);
        assert!(
            table.mean() > 100.0 && table.mean() < 300.0,
            "{}",
            table.mean()
        );
    }
}

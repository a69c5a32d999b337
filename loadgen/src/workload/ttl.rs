//! How long items live: `--ttl`.

use crate::units::{parse_duration, parse_weight};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::fmt;
use std::str::FromStr;

/// memcached reads larger numbers as dates.
const TTL_S_MAX: u32 = 30 * 24 * 3600;

/// Weighted ranges of seconds; a TTL of 0 is "never".
#[derive(Debug, Clone, PartialEq)]
pub struct TtlDistribution {
    entries: Vec<Entry>,
    weight: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    least_s: u32,
    most_s: u32,
    weight: f64,
}

impl Default for TtlDistribution {
    fn default() -> Self {
        let forever = Entry {
            least_s: 0,
            most_s: 0,
            weight: 1.0,
        };
        Self {
            entries: vec![forever],
            weight: 1.0,
        }
    }
}

impl FromStr for TtlDistribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text
            .split(',')
            .map(parse_entry)
            .collect::<Result<Vec<_>, _>>()?;
        let weight = entries.iter().map(|entry| entry.weight).sum();
        if weight > 0.0 {
            Ok(Self { entries, weight })
        } else {
            Err("the weights of the TTLs add up to nothing".to_owned())
        }
    }
}

fn parse_entry(text: &str) -> Result<Entry, String> {
    let (range, weight) = match text.split_once('=') {
        Some((range, weight)) => (range, parse_weight(weight)?),
        None => (text, 1.0),
    };
    let (least, most) = range.split_once('-').unwrap_or((range, range));
    let (least_s, most_s) = (parse_ttl(least)?, parse_ttl(most)?);
    if least_s > most_s {
        return Err(format!(
            "'{text}' is empty: a TTL is a time (60s), a range (30s-5m) or a weighted list (0=50,1h=50)"
        ));
    }
    Ok(Entry {
        least_s,
        most_s,
        weight,
    })
}

fn parse_ttl(text: &str) -> Result<u32, String> {
    let duration = parse_duration(text)?;
    if duration.subsec_nanos() > 0 {
        return Err(format!(
            "a TTL of {text} is not a number of whole seconds, and a server counts no others"
        ));
    }
    u32::try_from(duration.as_secs())
        .ok()
        .filter(|&seconds| seconds <= TTL_S_MAX)
        .ok_or_else(|| format!("a TTL of {text} is above memcached's 30 days"))
}

impl fmt::Display for TtlDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{entry}")?;
            if self.entries.len() > 1 {
                write!(f, "={}", entry.weight)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least_s, self.most_s) {
            (0, 0) => f.write_str("0"),
            (least, most) if least == most => write!(f, "{least}s"),
            (least, most) => write!(f, "{least}s-{most}s"),
        }
    }
}

impl TtlDistribution {
    /// A TTL in seconds, 0 for never.
    #[inline]
    pub fn sample(&self, rng: &mut SmallRng) -> u32 {
        if let [only] = self.entries.as_slice() {
            return only.sample(rng);
        }
        let mut point = rng.random::<f64>() * self.weight;
        for entry in &self.entries {
            point -= entry.weight;
            if point < 0.0 {
                return entry.sample(rng);
            }
        }
        self.entries.last().map_or(0, |entry| entry.sample(rng))
    }
}

impl Entry {
    fn sample(self, rng: &mut SmallRng) -> u32 {
        if self.least_s == self.most_s {
            self.least_s
        } else {
            rng.random_range(self.least_s..=self.most_s)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn ttls_are_drawn_from_their_ranges() {
        let ttl: TtlDistribution = "0=50,10s-20s=50".parse().unwrap();
        let mut rng = SmallRng::seed_from_u64(3);
        let drawn: Vec<u32> = (0..1000).map(|_| ttl.sample(&mut rng)).collect();
        let never = drawn.iter().filter(|&&seconds| seconds == 0).count();
        assert!((400..600).contains(&never));
        assert!(
            drawn
                .iter()
                .all(|&seconds| seconds == 0 || (10..=20).contains(&seconds))
        );
    }

    #[test]
    fn ttls_print_as_they_are_written() {
        for (text, printed) in [
            ("0", "0"),
            ("60s", "60s"),
            ("30s-5m", "30s-300s"),
            ("0=50,1h=50", "0=50,3600s=50"),
        ] {
            let ttl: TtlDistribution = text.parse().unwrap();
            assert_eq!(ttl.to_string(), printed);
            assert_eq!(printed.parse::<TtlDistribution>().unwrap(), ttl);
        }
    }

    #[test]
    fn wrong_ttls_are_refused() {
        // Half a second would be sent as 0, which is forever.
        for text in [
            "soon", "20s-10s", "40000000", "5=x", "500ms", "1=nan", "1=inf", "1=-1", "1=0",
        ] {
            assert!(text.parse::<TtlDistribution>().is_err(), "{text}");
        }
    }
}

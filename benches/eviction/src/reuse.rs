//! What memcached did in an earlier run: it does not change from run to run, and takes half of the time.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::run::{Comparison, Options, Outcome};

/// The name of memcached's results.
const MEMCACHED: &str = "memcached";

/// What the results depend on: the first line of the file.
fn settings(options: &Options) -> String {
    format!(
        "# requests={} megabytes={} universe={} rate={} seed={}",
        options.requests, options.megabytes, options.universe, options.rate, options.seed
    )
}

/// All results, for [`Earlier`] and for other programs.
pub fn csv(options: &Options, comparisons: &[Comparison]) -> String {
    let mut text = settings(options);
    text.push_str("\nstream,limit_bytes,cache,miss_percent,byte_miss_percent,items\n");
    for comparison in comparisons {
        let (name, limit) = (comparison.spec.name, comparison.limit_bytes);
        for (bound, percent) in comparison.bounds() {
            let _ = writeln!(text, "\"{name}\",{limit},\"{bound}\",{percent:.4},,");
        }
        for outcome in &comparison.outcomes {
            let _ = writeln!(
                text,
                "\"{name}\",{limit},\"{}\",{:.4},{:.4},{}",
                outcome.cache, outcome.miss_percent, outcome.byte_miss_percent, outcome.items
            );
        }
    }
    text
}

/// The results of an earlier run.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    text: String,
}

impl Earlier {
    /// Reads what a run with the same settings has written.
    ///
    /// # Errors
    ///
    /// There is no such file, or it is of a run with other settings.
    pub fn read(path: &Path, options: &Options) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let wanted = settings(options);
        match text.lines().next() {
            Some(first) if first == wanted => Ok(Self { text }),
            first => Err(io::Error::other(format!(
                "{}: it was written with \"{}\", this run has \"{wanted}\"",
                path.display(),
                first.unwrap_or_default()
            ))),
        }
    }

    /// What memcached did with a stream, and the memory it used.
    #[must_use]
    pub fn memcached(&self, stream: &str) -> Option<(Outcome, u64)> {
        let prefix = format!("\"{stream}\",");
        let lines = self.text.lines();
        let mut rows = lines.filter_map(|line| line.strip_prefix(&prefix));
        rows.find_map(|row| {
            let mut cells = row.split(',');
            let limit_bytes = cells.next()?.parse().ok()?;
            if cells.next()?.trim_matches('"') != MEMCACHED {
                return None;
            }
            let outcome = Outcome {
                cache: MEMCACHED.to_owned(),
                is_model: false,
                miss_percent: cells.next()?.parse().ok()?,
                byte_miss_percent: cells.next()?.parse().ok()?,
                items: cells.next()?.parse().ok()?,
                taken: Duration::ZERO,
            };
            Some((outcome, limit_bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::bound::Bound;
    use crate::stream::STREAMS;

    #[test]
    fn what_was_written_is_read_again() {
        let options = Options::parse_from(["eviction", "--seed", "7"]);
        let outcome = |cache: &str, miss_percent| Outcome {
            cache: cache.to_owned(),
            is_model: false,
            miss_percent,
            byte_miss_percent: 2.5,
            items: 1000,
            taken: Duration::ZERO,
        };
        let comparisons = STREAMS.map(|spec| Comparison {
            spec,
            bound: Bound::default(),
            limit_bytes: 64 << 20,
            outcomes: vec![outcome("engine", 1.0), outcome(MEMCACHED, 12.25)],
        });
        let path = std::env::temp_dir().join(format!("eviction-reuse-{}.csv", std::process::id()));
        std::fs::write(&path, csv(&options, &comparisons)).unwrap();
        let earlier = Earlier::read(&path, &options);
        let other = Earlier::read(&path, &Options::parse_from(["eviction"]));
        std::fs::remove_file(&path).unwrap();
        let earlier = earlier.unwrap();
        for spec in STREAMS {
            let (outcome, limit_bytes) = earlier.memcached(spec.name).unwrap();
            assert_eq!(limit_bytes, 64 << 20);
            assert_eq!((outcome.miss_percent, outcome.items), (12.25, 1000));
        }
        assert!(earlier.memcached("zipf").is_none());
        assert!(other.unwrap_err().to_string().contains("seed=7"));
    }
}

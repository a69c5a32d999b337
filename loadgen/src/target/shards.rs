//! Shard-aware routing: which shard of a server owns a key, as the server's `stats shards` tells.
//!
//! | statistic | meaning |
//! | --- | --- |
//! | `shards` | number of shards |
//! | `hash` | `xxh3_64`, the only hash known here |
//! | `hash_seed` | the seed, decimal |
//! | `shard_port` | the port where the source port modulo `shards` chooses the shard |
//!
//! The owner of a key is `((hash(key) >> 32) * shards) >> 32`.

use crate::error::{Exit, LoadError, Result};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A server's mapping of keys to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardMap {
    shards: u64,
    seed: u64,
    port: u16,
}

impl ShardMap {
    /// Reads the answer of `stats shards`.
    pub fn from_stats(stats: &HashMap<String, String>) -> Result<Self> {
        let unsupported = |why: &str| {
            LoadError::new(
                Exit::NoServer,
                format!(
                    "--shard-aware needs a server with 'stats shards' ({why}); run without it against other servers"
                ),
            )
        };
        let field = |name: &str| {
            stats
                .get(name)
                .ok_or_else(|| unsupported(&format!("no '{name}' in its answer")))
        };
        let hash = field("hash")?;
        if hash != "xxh3_64" {
            return Err(unsupported(&format!(
                "it hashes with {hash}, which loadgen does not know"
            )));
        }
        let number = |name: &str| -> Result<u64> {
            field(name)?
                .parse()
                .map_err(|_| unsupported(&format!("'{name}' is no number")))
        };
        let off = || unsupported("its shard port is off: start the server with -o shard_port=N");
        let port = u16::try_from(number("shard_port")?).unwrap_or(0);
        if port == 0 {
            // Nor is the seed there: it is shown to those who need it.
            return Err(off());
        }
        let map = Self {
            shards: number("shards")?,
            seed: number("hash_seed")?,
            port,
        };
        if map.shards == 0 {
            return Err(off());
        }
        Ok(map)
    }

    /// The number of shards.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards as usize
    }

    /// The port on which the source port chooses the shard.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The shard that owns `key`.
    #[inline]
    #[must_use]
    pub fn shard(&self, key: &[u8]) -> usize {
        let hash = xxh3_64_with_seed(key, self.seed);
        (((hash >> 32) * self.shards) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(entries: &[(&str, &str)]) -> HashMap<String, String> {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_map_reads_stats_and_stays_in_range() {
        let map = ShardMap::from_stats(&stats(&[
            ("shards", "3"),
            ("hash", "xxh3_64"),
            ("hash_seed", "7"),
            ("shard_port", "11212"),
        ]))
        .unwrap();
        let mut counts = [0; 3];
        for key in 0..3000 {
            counts[map.shard(format!("key{key}").as_bytes())] += 1;
        }
        assert!(
            counts.iter().all(|&count| (900..1100).contains(&count)),
            "{counts:?}"
        );
    }

    #[test]
    fn servers_without_shards_are_told_apart() {
        for entries in [
            vec![],
            vec![
                ("shards", "2"),
                ("hash", "murmur3"),
                ("hash_seed", "1"),
                ("shard_port", "1"),
            ],
            vec![
                ("shards", "2"),
                ("hash", "xxh3_64"),
                ("hash_seed", "1"),
                ("shard_port", "0"),
            ],
        ] {
            assert!(
                ShardMap::from_stats(&stats(&entries))
                    .unwrap_err()
                    .to_string()
                    .contains("--shard-aware")
            );
        }
    }
}

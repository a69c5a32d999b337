//! Which shard of a corecached server owns a key, and how a connection reaches that shard.
//!
//! ```text
//!   stats shards:  shards 4, hash xxh3_64, hash_seed 7, shard_port 11212
//!   owner of a key:  ((xxh3_64(key, seed) >> 32) * shards) >> 32
//!   a connection to shard_port whose source port modulo `shards` is that number is served by the owner
//! ```
//!
//! Requests on such a connection never go to another core. Servers other than corecached have no `stats shards`.

use std::fmt;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A server's mapping of keys to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardMap {
    shards: u64,
    seed: u64,
    port: u16,
}

/// The reason why a server cannot be asked shard by shard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardMapError {
    /// This name is missing in `stats shards`, or its value is no number: the server is not corecached.
    Missing(&'static str),
    /// The server uses a hash function that this client does not know.
    Hash(String),
    /// The server's shard port is off; `-o shard_port=N` sets it.
    PortOff,
}

impl fmt::Display for ShardMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShardMapError::Missing(name) => write!(f, "no number '{name}' in its 'stats shards'"),
            ShardMapError::Hash(hash) => {
                write!(f, "it hashes with {hash}, which is not known here")
            }
            ShardMapError::PortOff => {
                f.write_str("its shard port is off: start the server with -o shard_port=N")
            }
        }
    }
}

impl std::error::Error for ShardMapError {}

impl ShardMap {
    /// Reads the answer of `stats shards`.
    ///
    /// # Errors
    ///
    /// If the server has no shards, or does not show them.
    pub fn from_stats<N: AsRef<str>, V: AsRef<str>>(
        stats: &[(N, V)],
    ) -> Result<Self, ShardMapError> {
        let field = |name: &'static str| {
            stats
                .iter()
                .find(|(found, _)| found.as_ref() == name)
                .map(|(_, value)| value.as_ref())
                .ok_or(ShardMapError::Missing(name))
        };
        let number = |name: &'static str| {
            let number = field(name)?.parse::<u64>();
            number.map_err(|_| ShardMapError::Missing(name))
        };
        let hash = field("hash")?;
        if hash != "xxh3_64" {
            return Err(ShardMapError::Hash(hash.to_owned()));
        }
        let port = u16::try_from(number("shard_port")?).unwrap_or(0);
        if port == 0 {
            // The seed is missing then, too: the server shows it only with a shard port.
            return Err(ShardMapError::PortOff);
        }
        let map = Self {
            shards: number("shards")?,
            seed: number("hash_seed")?,
            port,
        };
        // A source port must be able to name each shard.
        if map.shards == 0 || map.shards > u64::from(u16::MAX) {
            return Err(ShardMapError::Missing("shards"));
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

/// The source ports tried for a shard: most systems do not hand out ports of this range by themselves.
const SOURCE_PORTS: Range<u16> = 10_000..32_000;

/// Hands out source ports, so that `port % shards` is the shard asked for.
#[derive(Debug, Clone)]
pub struct SourcePorts {
    next: u16,
    shards: u16,
}

impl SourcePorts {
    /// The ports that are tried.
    pub const RANGE: Range<u16> = SOURCE_PORTS;

    /// Ports for a server of `shards` shards. Different processes begin at different ports.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let spread = (std::process::id() % 10_000) as u16;
        Self {
            next: SOURCE_PORTS.start + spread,
            shards: u16::try_from(shards.max(1)).unwrap_or(u16::MAX),
        }
    }

    /// All ports that lead to `shard`, once each, beginning behind the port that was returned last.
    pub fn of(&mut self, shard: usize) -> impl Iterator<Item = u16> + use<'_> {
        let shards = self.shards;
        SOURCE_PORTS
            .map(|_| self.advance())
            .filter(move |port| usize::from(port % shards) == shard)
    }

    fn advance(&mut self) -> u16 {
        let port = self.next;
        self.next = if port + 1 < SOURCE_PORTS.end {
            port + 1
        } else {
            SOURCE_PORTS.start
        };
        port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_reads_stats_and_stays_in_range() {
        let map = ShardMap::from_stats(&[
            ("shards", "3"),
            ("hash", "xxh3_64"),
            ("hash_seed", "7"),
            ("shard_port", "11212"),
        ])
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
        let with = |hash: &'static str, port: &'static str| {
            let stats = [
                ("shards", "2"),
                ("hash", hash),
                ("hash_seed", "1"),
                ("shard_port", port),
            ];
            ShardMap::from_stats(&stats).unwrap_err()
        };
        assert_eq!(
            ShardMap::from_stats::<&str, &str>(&[]),
            Err(ShardMapError::Missing("hash"))
        );
        assert_eq!(
            with("murmur3", "1"),
            ShardMapError::Hash("murmur3".to_owned())
        );
        assert_eq!(with("xxh3_64", "0"), ShardMapError::PortOff);
    }

    #[test]
    fn source_ports_lead_to_the_shard_and_come_once() {
        let mut ports = SourcePorts::new(7);
        let mut seen: Vec<u16> = ports.of(3).collect();
        assert!(
            seen.iter()
                .all(|port| port % 7 == 3 && SOURCE_PORTS.contains(port))
        );
        let count = seen.len();
        assert!((SOURCE_PORTS.len() / 7..=SOURCE_PORTS.len() / 7 + 1).contains(&count));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        let first = ports.of(3).next();
        assert_ne!(first, ports.of(3).next());
    }
}

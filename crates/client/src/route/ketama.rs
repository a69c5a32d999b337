//! Consistent hashing over several servers, point for point as libmemcached with `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`
//! places them.
//!
//! ```text
//!   MD5("10.0.1.1-0")   -> 16 bytes -> 4 little-endian points of server 10.0.1.1
//!   MD5("10.0.1.1-1")   -> ...         of equal servers each has 40 digests, 160 points
//!   MD5(key)            -> its first 4 bytes -> the first point at or after it
//! ```
//!
//! A server's name is `host:port`, without the port if that is 11211.

use crate::address::DEFAULT_PORT;
use md5::{Digest, Md5};

/// Points per server on average (libmemcached's `MEMCACHED_POINTS_PER_SERVER_KETAMA`).
const POINTS_PER_SERVER: usize = 160;
/// Points cut from one digest.
const POINTS_PER_DIGEST: usize = 4;

/// The ring of points, sorted.
///
/// ```
/// use corecached_client::Ketama;
///
/// let ring = Ketama::new(["10.0.1.1:11211", "10.0.1.2:11211"]);
/// assert!(ring.server(b"some key") < 2);
/// ```
#[derive(Debug, Clone)]
pub struct Ketama {
    points: Vec<(u32, u32)>,
    servers: usize,
}

impl Ketama {
    /// The ring of these servers (`host:port`), with equal weights.
    #[must_use]
    pub fn new<N: AsRef<str>>(servers: impl IntoIterator<Item = N>) -> Self {
        Self::weighted(servers.into_iter().map(|name| (name, 1)))
    }

    /// The ring of these servers, each with a weight: its share of the points.
    #[must_use]
    pub fn weighted<N: AsRef<str>>(servers: impl IntoIterator<Item = (N, u32)>) -> Self {
        let servers: Vec<(N, u32)> = servers.into_iter().collect();
        let total: u64 = servers.iter().map(|&(_, weight)| u64::from(weight)).sum();
        let mut points = Vec::new();
        for (index, (name, weight)) in servers.iter().enumerate() {
            let digests = digests(*weight, total, servers.len());
            server_points(hashed_name(name.as_ref()), digests, |point| {
                points.push((point, index as u32));
            });
        }
        points.sort_by_key(|&(point, _)| point);
        Self {
            points,
            servers: servers.len(),
        }
    }

    /// The number of servers.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.servers
    }

    /// The part of the ring that each server owns.
    #[must_use]
    pub fn arcs(&self) -> Vec<f64> {
        let mut arcs = vec![0.0; self.servers];
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return arcs;
        };
        let ring = 2f64.powi(32);
        for pair in self.points.windows(2) {
            arcs[pair[1].1 as usize] += f64::from(pair[1].0 - pair[0].0) / ring;
        }
        arcs[first.1 as usize] += (ring - f64::from(last.0 - first.0)) / ring;
        arcs
    }

    /// The server of a key, as an index into the servers that the ring was made of.
    ///
    /// # Panics
    ///
    /// The ring has no servers.
    #[must_use]
    pub fn server(&self, key: &[u8]) -> usize {
        let digest = Md5::digest(key);
        let hash = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let next = self.points.partition_point(|&(point, _)| point < hash);
        self.points[next % self.points.len()].1 as usize
    }
}

/// How many digests a server of `weight` has. The numbers are single-precision floats, as in libmemcached: rounding
/// decides how many points a server has.
fn digests(weight: u32, total: u64, servers: usize) -> usize {
    let share = weight as f32 / total as f32;
    let points = share * (POINTS_PER_SERVER / POINTS_PER_DIGEST) as f32 * servers as f32;
    (points + 0.000_000_000_1) as usize
}

/// libmemcached leaves the default port out of the name it hashes.
fn hashed_name(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if port.parse() == Ok(DEFAULT_PORT) => host,
        _ => name,
    }
}

fn server_points(name: &str, digests: usize, mut take: impl FnMut(u32)) {
    for index in 0..digests {
        let digest = Md5::digest(format!("{name}-{index}").as_bytes());
        for bytes in digest.as_chunks::<4>().0 {
            take(u32::from_le_bytes(*bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(servers: usize) -> Ketama {
        Ketama::new((0..servers).map(|index| format!("10.0.1.{}:11211", index + 1)))
    }

    #[test]
    fn the_ring_is_libketamas() {
        let ring = ring(8);
        assert_eq!(ring.points.len(), 8 * 160);
        // MD5("10.0.1.1-0") begins with these bytes; its first point is their little-endian number.
        let digest = Md5::digest(b"10.0.1.1-0");
        let first = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
        assert!(ring.points.contains(&(first, 0)));
    }

    #[test]
    fn weights_are_shares_of_the_points() {
        let ring = Ketama::weighted([("a:1", 1), ("b:1", 3)]);
        let of = |server| ring.points.iter().filter(|point| point.1 == server).count();
        // libmemcached: floor(1/4 * 160/4 * 2) * 4 and floor(3/4 * 160/4 * 2) * 4.
        assert_eq!((of(0), of(1)), (80, 240));
        let ring = Ketama::weighted([("a:1", 1), ("b:1", 1), ("c:1", 1)]);
        assert_eq!(ring.points.len(), 3 * 160);
    }

    #[test]
    fn arcs_are_the_shares_of_the_keys() {
        let ring = ring(5);
        let arcs = ring.arcs();
        assert!((arcs.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mut counts = [0u32; 5];
        for key in 0..20_000 {
            counts[ring.server(format!("key{key}").as_bytes())] += 1;
        }
        for (arc, count) in arcs.iter().zip(counts) {
            assert!(
                (arc - f64::from(count) / 20_000.0).abs() < 0.015,
                "{arcs:?} {counts:?}"
            );
        }
    }

    #[test]
    fn keys_spread_and_mostly_stay_when_a_server_leaves() {
        let (eight, seven) = (ring(8), ring(7));
        let keys: Vec<String> = (0..20_000).map(|key| format!("key{key}")).collect();
        let mut counts = [0; 8];
        let mut moved = 0;
        for key in &keys {
            let server = eight.server(key.as_bytes());
            counts[server] += 1;
            moved += usize::from(server != 7 && seven.server(key.as_bytes()) != server);
        }
        assert!(
            counts.iter().all(|&count| (1_500..3_800).contains(&count)),
            "{counts:?}"
        );
        assert_eq!(moved, 0, "only keys of the server that left move");
    }
}

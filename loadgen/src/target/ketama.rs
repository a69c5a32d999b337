//! Consistent hashing over several servers, point for point as libmemcached with `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`
//! and equal weights places them: 40 MD5 digests of `host-N` (or `host:port-N` off the default port) per server, four
//! little-endian points each, and a key goes to the first point at or after its own.

use super::{DEFAULT_PORT, Endpoint};
use md5::{Digest, Md5};

/// Points per server (libmemcached's `MEMCACHED_POINTS_PER_SERVER_KETAMA`).
const POINTS_PER_SERVER: usize = 160;
/// Points cut from one digest.
const POINTS_PER_DIGEST: usize = 4;

/// The ring of points, sorted.
#[derive(Debug, Clone)]
pub struct Ketama {
    points: Vec<(u32, usize)>,
    servers: usize,
}

impl Ketama {
    /// The ring of these servers.
    #[must_use]
    pub fn new(servers: &[Endpoint]) -> Self {
        let mut points: Vec<(u32, usize)> = servers
            .iter()
            .enumerate()
            .flat_map(|(index, server)| {
                server_points(&hashed_name(server)).map(move |point| (point, index))
            })
            .collect();
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
            arcs[pair[1].1] += f64::from(pair[1].0 - pair[0].0) / ring;
        }
        arcs[first.1] += (ring - f64::from(last.0 - first.0)) / ring;
        arcs
    }

    /// The server of a key.
    #[must_use]
    pub fn server(&self, key: &[u8]) -> usize {
        let digest = Md5::digest(key);
        let hash = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let next = self.points.partition_point(|&(point, _)| point < hash);
        self.points[next % self.points.len()].1
    }
}

/// libmemcached leaves the default port out of the name it hashes.
fn hashed_name(server: &Endpoint) -> String {
    let name = server.to_string();
    match name.rsplit_once(':') {
        Some((host, port)) if port == DEFAULT_PORT.to_string() => host.to_owned(),
        _ => name,
    }
}

fn server_points(name: &str) -> impl Iterator<Item = u32> + use<> {
    let digests: Vec<_> = (0..POINTS_PER_SERVER / POINTS_PER_DIGEST)
        .map(|index| Md5::digest(format!("{name}-{index}").as_bytes()))
        .collect();
    digests.into_iter().flat_map(|digest| {
        let points: Vec<u32> = digest
            .chunks_exact(4)
            .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        points
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(servers: usize) -> Ketama {
        let servers: Vec<Endpoint> = (0..servers)
            .map(|index| Endpoint::parse(&format!("10.0.1.{}:11211", index + 1)).unwrap())
            .collect();
        Ketama::new(&servers)
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

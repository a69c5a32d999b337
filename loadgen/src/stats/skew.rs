//! How unevenly a cluster is loaded: keys that are asked for more often than others, and a hash ring whose servers own
//! arcs of different lengths.

use crate::target::Endpoint;
use crate::workload::keys::KeyDistribution;
use corecached_client::Ketama;

/// How many keys are looked at one by one; the keys after them are many and alike.
const HEAVY_KEYS_MAX: u64 = 1_000;
/// Terms of the zeta sum that are added one by one; the integral has the rest.
const EXACT_TERMS: u64 = 10_000;
/// How many rings are tried. Which server the heavy keys fall on is chance; of the rings tried one in twenty may be
/// worse than the planned one ...
const RINGS: usize = 20;
/// ... and fewer rings are tried where there are more servers than this, since rings then differ less.
const MANY_SERVERS: usize = 400;

/// The shares of all requests that go to the most asked-for keys, largest first.
#[must_use]
pub fn heavy_shares(distribution: KeyDistribution, keys: u64) -> Vec<f64> {
    let keys = keys.max(1);
    match distribution {
        KeyDistribution::Zipf { exponent } => {
            let sum = zeta(keys, exponent);
            (1..=keys.min(HEAVY_KEYS_MAX))
                .map(|rank| (rank as f64).powf(-exponent) / sum)
                .collect()
        }
        KeyDistribution::Hotspot {
            keys: hot,
            requests,
        } => {
            let hot_keys = ((keys as f64 * hot).ceil() as u64).clamp(1, keys);
            vec![requests / hot_keys as f64; hot_keys.min(HEAVY_KEYS_MAX) as usize]
        }
        KeyDistribution::Uniform | KeyDistribution::Sequential => Vec::new(),
    }
}

/// The sum of `1 / n^exponent` over the first `count` numbers: exactly as far as it matters, then by the midpoint rule.
fn zeta(count: u64, exponent: f64) -> f64 {
    let exact = count.min(EXACT_TERMS);
    let head: f64 = (1..=exact).map(|n| (n as f64).powf(-exponent)).sum();
    let (from, to) = (exact as f64 + 0.5, count as f64 + 0.5);
    let tail = if (exponent - 1.0).abs() < 1e-9 {
        (to / from).ln()
    } else {
        (to.powf(1.0 - exponent) - from.powf(1.0 - exponent)) / (1.0 - exponent)
    };
    head + tail
}

/// The largest part of a cluster's load that one of `servers` servers gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Busiest {
    /// The busiest server's share of the requests.
    pub requests: f64,
    /// The largest share of the items that one server has.
    pub items: f64,
}

/// The busiest server of a ketama ring. `heavy` are the shares of single keys, the rest of the requests is spread over
/// all keys; 19 of 20 rings are no worse.
#[must_use]
pub fn busiest(servers: usize, heavy: &[f64]) -> Busiest {
    let rings = if servers > MANY_SERVERS {
        RINGS / 4
    } else {
        RINGS
    };
    let (mut requests, mut items): (Vec<f64>, Vec<f64>) =
        (0..rings).map(|ring| on_ring(ring, servers, heavy)).unzip();
    let second_worst = |shares: &mut Vec<f64>| {
        shares.sort_by(f64::total_cmp);
        shares[rings - 2]
    };
    Busiest {
        requests: second_worst(&mut requests),
        items: second_worst(&mut items),
    }
}

fn on_ring(ring: usize, servers: usize, heavy: &[f64]) -> (f64, f64) {
    let names = (0..servers).map(|server| Endpoint::numbered(ring, server).to_string());
    let ketama = Ketama::new(names);
    let arcs = ketama.arcs();
    let rest = 1.0 - heavy.iter().sum::<f64>();
    let mut loads: Vec<f64> = arcs.iter().map(|arc| arc * rest).collect();
    for (rank, share) in heavy.iter().enumerate() {
        loads[ketama.server(format!("key-{rank}").as_bytes())] += share;
    }
    let largest = |shares: &[f64]| shares.iter().copied().fold(0.0, f64::max);
    (largest(&loads), largest(&arcs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_of_a_zipf_law_is_as_heavy_as_it_is() {
        // The sum over 2 G keys is 2e9^0.01 / 0.01 + zeta(0.99), 24.46.
        let top = |keys| heavy_shares(KeyDistribution::Zipf { exponent: 0.99 }, keys)[0];
        assert!(
            (top(2_000_000_000) - 1.0 / 24.46).abs() < 1e-5,
            "{}",
            top(2_000_000_000)
        );
        // H(1000) of exponent 1 is 7.485.
        let harmonic = heavy_shares(KeyDistribution::Zipf { exponent: 1.0 }, 1_000);
        assert!((harmonic[0] - 1.0 / 7.485).abs() < 1e-4);
        assert!((harmonic.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(heavy_shares(KeyDistribution::Uniform, 10).is_empty());
        let hot = KeyDistribution::Hotspot {
            keys: 0.01,
            requests: 0.5,
        };
        assert_eq!(heavy_shares(hot, 1_000), vec![0.05; 10]);
    }

    #[test]
    fn rings_are_uneven_and_heavy_keys_make_them_more_so() {
        let even = busiest(10, &[]);
        // 160 points per server: a standard deviation of 1 / sqrt(160), 8%, and the largest of ten is above that.
        assert!((1.05..1.5).contains(&(even.items * 10.0)), "{even:?}");
        assert!((even.items - even.requests).abs() < 1e-12);
        let heavy = heavy_shares(KeyDistribution::Zipf { exponent: 0.99 }, 1_000_000);
        let skewed = busiest(10, &heavy);
        assert!(skewed.requests > even.requests && skewed.requests > heavy[0]);
        assert!((skewed.items - even.items).abs() < 1e-12);
        assert!((busiest(1, &heavy).requests - 1.0).abs() < 1e-9);
    }
}

//! The hot keys of all shards together.

use std::collections::BTreeMap;

use super::HotKey;

/// A key with its share of the requests of all shards.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyShare {
    /// The key.
    pub key: Vec<u8>,
    /// Hash of the key.
    pub hash: u64,
    /// Requests for the key that were counted, for certain.
    pub requests: u64,
    /// Part of all requests that were for the key, at least.
    pub share: f64,
    /// Part by which the share may be larger than that, as counters were shared with other keys.
    pub error: f64,
    /// Part of the requests for the key that were more than lookups.
    pub changes: f64,
}

/// The hot keys of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// Requests that were counted, each sample for as many as it stands for.
    pub requests: u64,
    /// The keys, the hottest first.
    pub keys: Vec<KeyShare>,
}

/// The counts of one shard.
#[derive(Clone, Debug, Default)]
struct Sum {
    hash: u64,
    requests: u64,
    excess: u64,
    changes: u64,
    /// What shards that have no counter for the key may have counted, less the sum over all shards.
    unseen_known: u64,
}

/// Joins the counts of shards: of each its requests, its [`super::HotKeys::unseen`] and its keys. Returns the `count`
/// hottest keys.
#[must_use]
pub fn merge(shards: &[(u64, u64, Vec<HotKey>)], count: usize) -> Shares {
    let requests: u64 = shards.iter().map(|(requests, _, _)| requests).sum();
    let unseen_sum: u64 = shards.iter().map(|(_, unseen, _)| unseen).sum();
    let mut sums: BTreeMap<&[u8], Sum> = BTreeMap::new();
    for (_, unseen, keys) in shards {
        for key in keys {
            let sum = sums.entry(&key.key).or_default();
            sum.hash = key.hash;
            sum.requests += key.requests;
            sum.excess += key.excess;
            sum.changes += key.changes;
            sum.unseen_known += unseen;
        }
    }
    let part = |of: u64| of as f64 / requests.max(1) as f64;
    let mut keys: Vec<KeyShare> = sums
        .into_iter()
        .map(|(key, sum)| {
            let certain = sum.requests - sum.excess;
            KeyShare {
                key: key.to_vec(),
                hash: sum.hash,
                requests: certain,
                share: part(certain),
                error: part(sum.excess + unseen_sum - sum.unseen_known),
                changes: sum.changes as f64 / certain.max(1) as f64,
            }
        })
        .collect();
    keys.sort_by(|one, other| {
        other
            .requests
            .cmp(&one.requests)
            .then(one.key.cmp(&other.key))
    });
    keys.retain(|key| key.requests > 0);
    keys.truncate(count);
    Shares { requests, keys }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hot::HotKeys;

    #[test]
    fn shares_of_shards_are_added() {
        let mut shards = Vec::new();
        for shard in 0..4u64 {
            let mut hot = HotKeys::default();
            for number in 0..1000 {
                hot.add(b"hot", 1, 3, false, 10);
                let other = format!("{shard}-{number}");
                hot.add(other.as_bytes(), (shard << 32) + number + 2, 7, true, 10);
            }
            shards.push((hot.requests(), hot.unseen(), hot.keys(10)));
        }
        let merged = merge(&shards, 20);
        assert_eq!((merged.requests, merged.keys.len()), (40_000, 20));
        let first = &merged.keys[0];
        assert_eq!((first.key.as_slice(), first.hash), (&b"hot"[..], 1));
        assert!(
            first.share <= 0.3 && first.share + first.error >= 0.3,
            "{first:?}"
        );
        assert!(first.share > 0.29 && first.changes == 0.0, "{first:?}");
        assert!(merged.keys[1].share < 0.001 && merged.keys[1].changes > 0.9);
        // Nothing was counted.
        assert_eq!(merge(&[(0, 0, Vec::new())], 20), Shares::default());
    }

    #[test]
    fn counts_fade() {
        let mut hot = HotKeys::default();
        for _ in 0..64 {
            hot.add(b"old", 1, 1, false, 30);
        }
        for _ in 0..24 {
            hot.add(b"new", 2, 1, false, 130);
        }
        let merged = merge(&[(hot.requests(), hot.unseen(), hot.keys(130))], 2);
        assert_eq!(merged.requests, 64 / 4 + 24);
        let names: Vec<&[u8]> = merged.keys.iter().map(|key| &key.key[..]).collect();
        assert_eq!(names, [&b"new"[..], b"old"]);
        assert!(hot.keys(u32::MAX).iter().all(|key| key.requests == 0));
    }
}

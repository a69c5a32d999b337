//! The hash of the index's second table, of which nobody outside the process can know anything.
//!
//! The usual hash is made for speed, its seed is published to clients that route by it (`stats shards`), and an
//! attacker who knows the seed can make keys of one leaf, one tag, or one hash. SipHash-2-4 with a key of 128 bits is
//! made to be unpredictable even to an attacker who chooses the keys and sees the effects. It takes some 20 ns, and
//! only for keys whose leaf is full.

#![allow(
    deprecated,
    reason = "the standard library's SipHash is deprecated for that of the `siphasher` crate, not for a fault"
)]

use std::hash::{Hasher, SipHasher};

use serde::{Deserialize, Serialize};

use crate::types::{KeyHash, KeyHasher};

/// The key of SipHash.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SecretKey(pub(crate) [u64; 2]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

impl SecretKey {
    /// Hash of `key`.
    pub(super) fn hash(self, key: &[u8]) -> KeyHash {
        let mut hasher = SipHasher::new_with_keys(self.0[0], self.0[1]);
        hasher.write(key);
        KeyHash(hasher.finish())
    }
}

/// The hash function by which a table finds its keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum TableHasher {
    Usual(KeyHasher),
    Secret(SecretKey),
}

impl TableHasher {
    /// Hash of `key`.
    pub(super) fn hash(self, key: &[u8]) -> KeyHash {
        match self {
            Self::Usual(hasher) => hasher.hash(key),
            Self::Secret(secret) => secret.hash(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_siphash_of_its_authors() {
        // The test vector of the SipHash paper: key 00 to 0f, message 00 to 0e.
        let key = SecretKey([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(key.hash(&message), KeyHash(0xa129_ca61_49be_45e5));
    }
}

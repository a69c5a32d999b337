//! A key and what is known of the requests for it.

/// A key with its counts on one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotKey {
    /// The key.
    pub key: Vec<u8>,
    /// Hash of the key.
    pub hash: u64,
    /// Requests for the key, at most.
    pub requests: u64,
    /// How many of these may have been requests for other keys.
    pub excess: u64,
    /// Requests that were more than lookups.
    pub changes: u64,
}

//! How large an item may be, as memcached counts it for its clients (`-I`).
//!
//! ```text
//! key + value + 59, + 4 with client flags, - 8 without cas  <=  item_size_max
//! ```

use crate::config::EngineConfig;

/// Bytes that memcached counts besides key and value for an item with cas.
const COUNTED_BYTES: usize = 59;
/// Bytes that memcached counts for client flags.
const COUNTED_FLAGS_BYTES: usize = 4;
/// Bytes that memcached saves without cas.
const COUNTED_CAS_BYTES: usize = 8;

/// The largest item that is taken, as memcached counts its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemLimit {
    item_bytes_max: usize,
    /// Bytes over key and value, without client flags.
    header_bytes: usize,
}

impl ItemLimit {
    /// The limit for items as the configuration says.
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            item_bytes_max: config.item_size_max,
            header_bytes: match config.cas_enabled {
                true => COUNTED_BYTES,
                false => COUNTED_BYTES - COUNTED_CAS_BYTES,
            },
        }
    }

    /// Whether an item with so many bytes of key and value is too large.
    #[inline]
    pub(crate) fn is_exceeded(&self, payload_bytes: usize, client_flags: u32) -> bool {
        let flags_bytes = match client_flags {
            0 => 0,
            _ => COUNTED_FLAGS_BYTES,
        };
        payload_bytes + self.header_bytes + flags_bytes > self.item_bytes_max
    }
}

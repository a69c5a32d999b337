//! How much memory the shards of a world have, and what fills it at the beginning.

use corecached::simulated::{Setup, Shard};
use corecached_simulate::Rng;

use crate::item::Rules;
use crate::value::Values;

/// The memory of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Nothing has to go.
    Plenty,
    /// So little that keys have no room together, and full from the beginning on.
    Little,
    /// As little as `cache_memlimit` allows, and full from the beginning on.
    Eight,
    /// Little, and nothing may be evicted (`-M`).
    Kept,
}

const LITTLE_BYTES: u64 = 256 << 10;
/// Bytes of the values that fill the memory.
const FILLING_BYTES: usize = 20_000;

impl Memory {
    pub(crate) fn setup(self, shards: usize) -> Setup {
        let memory_limit_bytes = match self {
            Memory::Plenty => 256 << 20,
            Memory::Eight => 8 << 20,
            Memory::Little | Memory::Kept => LITTLE_BYTES * shards as u64,
        };
        Setup {
            shards,
            memory_limit_bytes,
            evictions: self != Memory::Kept,
        }
    }

    pub(crate) fn rules(self, values: Values) -> Rules {
        Rules {
            values,
            evicts: matches!(self, Memory::Little | Memory::Eight),
            refuses: self != Memory::Plenty,
        }
    }

    /// Keys for text.
    pub(crate) fn keys(self) -> usize {
        match self {
            Memory::Plenty => 24,
            _ => 100,
        }
    }

    /// Fills the memory before the world begins.
    pub(crate) fn fill(self, shards: &mut [Shard], rng: &mut Rng) {
        if self == Memory::Plenty {
            return;
        }
        let bytes = self.setup(shards.len()).memory_limit_bytes as usize;
        let count = match self {
            Memory::Kept => bytes / FILLING_BYTES * 3 / 2,
            _ => bytes / FILLING_BYTES * 4,
        };
        let conn = shards[0].connect();
        for number in 0..count {
            let len = rng.below(FILLING_BYTES);
            let line = format!("set filling-{number} 0 0 {len} noreply\r\n");
            let request = [line.as_bytes(), &vec![b'f'; len], b"\r\nmn\r\n"].concat();
            let mut arrivals = vec![(conn, request)];
            loop {
                let replies = shards[0].turn(&arrivals, true);
                arrivals.clear();
                if !replies.is_empty() {
                    break;
                }
                shards[0].enter_kernel(|_, _| {});
                for shard in &mut shards[1..] {
                    shard.turn(&[], true);
                    shard.enter_kernel(|_, _| {});
                }
            }
        }
    }
}

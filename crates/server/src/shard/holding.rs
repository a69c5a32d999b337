//! What a shard knows of the memory of its connections from one turn to the next; `conn_memory.rs` goes by it.

use crate::conn::{OUTPUT_BYTES_MAX, Totals};

/// Replies that a connection may have queued when memory is short.
const OUTPUT_BYTES_SHORT: usize = 16 * 1024;

/// What a shard has told of its connections' memory, and what follows for them.
#[derive(Debug)]
pub(super) struct Holding {
    told: Totals,
    output_bytes_max: usize,
}

impl Default for Holding {
    fn default() -> Holding {
        Holding {
            told: Totals::default(),
            output_bytes_max: OUTPUT_BYTES_MAX,
        }
    }
}

impl Holding {
    /// Notes what they hold now; false if that has been told already.
    pub(super) fn note(&mut self, totals: Totals) -> bool {
        let is_new = totals != self.told;
        self.told = totals;
        is_new
    }

    /// What was told last.
    pub(super) fn told(&self) -> Totals {
        self.told
    }

    /// Memory is short, or not: connections may have fewer replies queued, or as many as ever.
    pub(super) fn shorten_output(&mut self, is_short: bool) {
        self.output_bytes_max = match is_short {
            true => OUTPUT_BYTES_SHORT,
            false => OUTPUT_BYTES_MAX,
        };
    }

    /// With that much to send, a connection executes nothing further.
    #[inline]
    pub(super) fn output_bytes_max(&self) -> usize {
        self.output_bytes_max
    }
}

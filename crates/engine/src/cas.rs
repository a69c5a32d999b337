//! Cas uniques: each shard of a process has its own, so that they never collide.
//!
//! ```text
//! first, first + step, first + 2 * step, ...        below 2^48, then from the first again
//! ```

use crate::config::EngineConfig;
use crate::item::CAS_BYTES;

/// Cas uniques stay below this, so that they fit the usual width.
const CAS_END: u64 = 1 << (8 * CAS_BYTES);

/// Draws the cas uniques of one shard.
#[derive(Debug)]
pub(crate) struct CasNumbers {
    enabled: bool,
    first: u64,
    step: u64,
    next: u64,
}

impl CasNumbers {
    /// Begins at `cas_first` of the configuration and advances by its `cas_step`.
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            enabled: config.cas_enabled,
            first: config.cas_first,
            step: config.cas_step,
            next: config.cas_first,
        }
    }

    /// The next cas unique, 0 with cas disabled.
    #[inline]
    fn draw(&mut self) -> u64 {
        if !self.enabled {
            return 0;
        }
        let cas = self.next;
        self.next += self.step;
        if self.next >= CAS_END {
            self.next = self.first;
        }
        cas
    }

    /// The cas unique that was asked for, else the next one; 0 with cas disabled.
    #[inline]
    pub(crate) fn or_next(&mut self, wanted: Option<u64>) -> u64 {
        match wanted {
            Some(cas) if self.enabled => cas,
            _ => self.draw(),
        }
    }

    /// Where [`Self::go_on_from`] has to go on.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Goes on where an earlier process has stopped.
    pub(crate) fn go_on_from(&mut self, next: u64) {
        self.next = next;
    }
}

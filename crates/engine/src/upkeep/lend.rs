//! Pages for other shards: how long the oldest memory of this shard has not been used, and giving away a page of it.
//!
//! ```text
//! idle_seconds --> the caller compares shards --> release_idle_page of the one whose memory is older, until it is gone
//! ```
//!
//! Which page a shard can spare is a question of time, not of size: an item that nobody has asked for is worth less
//! than one that another shard has to evict sooner. The comparison between shards is the caller's.

use crate::api::Release;
use crate::engine::Engine;
use crate::place::{IDLE_FOR_EVER, Purpose};
use crate::types::Seconds;

impl Engine {
    /// Seconds for which the oldest memory of the shard, as far as samples show, has not been used. [`IDLE_FOR_EVER`]
    /// if a page is free or could be freed by moving its items. Each call looks at a few further pages.
    pub fn idle_seconds(&mut self, now: Seconds) -> u32 {
        self.contents.clock.advance(now);
        self.spending(|engine, effort| {
            let mut memory = engine.memory(effort);
            if memory.has_page_to_spare() {
                return IDLE_FOR_EVER;
            }
            memory
                .idlest_page(|page| page.guarded == 0)
                .map_or(0, |(_, idle)| idle)
        })
    }

    /// Works on giving a page that was not used for `idle_min` seconds back to the budget, for another shard to draw;
    /// looks at `chunks` chunks at most. If the page turns out to hold a half-received value, its emptying is given up,
    /// and the call gives nothing.
    pub fn release_idle_page(&mut self, idle_min: u32, chunks: usize, now: Seconds) -> Release {
        self.contents.clock.advance(now);
        self.spending(|engine, effort| {
            engine.memory(effort).give_page(chunks, |memory| {
                let idlest = memory.idlest_page(|page| page.guarded == 0);
                let old = idlest.filter(|&(_, idle)| idle >= idle_min);
                if let Some((page, _)) = old {
                    memory.start_drain_for(Purpose::Lent, page, None);
                }
                old.is_some()
            })
        })
    }
}

//! Memory that goes back to the budget while the shards together hold more than the limit.

use crate::api::Release;
use crate::engine::Engine;
use crate::place::Memory;

impl Engine {
    /// Gives memory of this shard back while the shards together hold more than the limit. Looks at `chunks` chunks at
    /// most; true while there is more to do.
    pub fn trim(&mut self, chunks: usize) -> bool {
        if self.contents.items.slabs.trim_prefaulted() {
            return true;
        }
        if self.contents.items.slabs.excess_bytes() == 0 {
            return false;
        }
        let given = self.spending(|engine, effort| {
            let mut memory = engine.memory(effort);
            let given = memory.give_page(chunks, Memory::steal_page);
            given != Release::Nothing || memory.release_pool_page() != Release::Nothing
        });
        given && self.contents.items.slabs.excess_bytes() > 0
    }
}

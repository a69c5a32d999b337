//! Memory that is there before it is needed, and where it comes from.

use std::io;

use crate::engine::Engine;

impl Engine {
    /// Has the shard's memory come from the NUMA node of the CPU that the calling thread runs on, as long as it has any.
    ///
    /// Without this it comes from the node of whoever writes to it first: the shard's own thread, or one that has borrowed
    /// the engine.
    pub fn prefer_this_node(&self) {
        self.contents
            .items
            .slabs
            .segment
            .mapping()
            .prefer_this_node();
    }

    /// Populates memory until the shard has `bytes` together with what it holds, or all shards have reached the limit;
    /// takes seconds for many gigabytes. It is charged to the budget as it is drawn. Before each step of 64 MiB it asks
    /// whether to `stop`.
    ///
    /// # Errors
    ///
    /// There is no memory. The shard works as without.
    pub fn prefault(&mut self, bytes: u64, stop: impl Fn() -> bool) -> io::Result<()> {
        self.contents.items.slabs.prefault(bytes, stop)
    }
}

//! Memory that is populated before it is needed, and the NUMA node that it comes from.

use std::io;

use crate::engine::Engine;

impl Engine {
    /// Asks the kernel to take the shard's memory from the NUMA node of the CPU that the calling thread runs on, as
    /// long as that node has any.
    ///
    /// Without this call memory comes from the node of the thread that writes to it first: the shard's own thread, or
    /// one that has borrowed the engine.
    pub fn prefer_this_node(&self) {
        self.contents
            .items
            .slabs
            .segment
            .mapping()
            .prefer_this_node();
    }

    /// Populates memory until held and populated memory of the shard are `bytes` together, or all shards have reached
    /// the limit. That takes seconds for many gigabytes. The memory is charged to the budget when it is drawn. Before
    /// each step of 64 MiB, `stop` is asked whether to end.
    ///
    /// # Errors
    ///
    /// There is no memory. The shard then works as it does without prefaulting.
    pub fn prefault(&mut self, bytes: u64, stop: impl Fn() -> bool) -> io::Result<()> {
        self.contents.items.slabs.prefault(bytes, stop)
    }
}

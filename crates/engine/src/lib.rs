//! corecached-engine: the cache of one shard.
//!
//! No I/O, no clock, no global state, one thread at a time ([`Engine`] is `Send`): time and keys come in, outcomes go
//! out. Memory is one address range per shard (`segment`), whose pages are drawn against a [`Budget`] that all shards
//! share; pages are cut into chunks by slab class (`slab`), items are one chunk or a chain of them (`item`), and
//! the index of the shard lies in chunks too (`index`), so that the limit holds for all of it.
//!
//! ```text
//! engine   verbs, eviction, expiry, statistics
//!   |  \
//!   |   index     hash -> chunk
//!   |  /
//! item         fields of items in chunks, chains
//!   |
//! slab         chunks, pages, budget
//!   |
//! segment      access to the address space; unsafe code is here, in `mapping` and `prefault` (with the marker on `index::bucket`)
//!   |
//! mapping      the kernel's part: memory comes and goes (`prefault`: before it is asked for)
//! ```

mod api;
mod budget;
mod config;
mod engine;
mod index;
mod item;
mod mapping;
mod prefault;
mod segment;
mod slab;
mod stats;
mod types;

pub use api::{
    Arith, ArithExtras, ArithOp, ArithOutcome, Create, Delete, DeleteOutcome, Fetch, MetaFetch,
    Piece, ReapProgress, Recache, Release, Reserve, Room, Space, Store, StoreExtras, StoreMode,
    StoreOutcome, SweepProgress, TouchOutcome,
};
pub use budget::Budget;
pub use config::{EngineConfig, MemoryFile};
pub use engine::{
    Engine, EngineEvent, Hit, IDLE_FOR_EVER, Lookup, Observed, PageCursor, PinnedValue, Presence,
    ReassignOutcome, RestoreError, Staged, StagedTicket, WalkCursor, WalkedItem,
};
pub use segment::next_piece;
pub use stats::{ClassStats, EngineStats, MemoryReport, Vitals};
pub use types::{Deadline, ItemHandle, KeyHash, KeyHasher, Seconds};

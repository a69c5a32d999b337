//! corecached-engine: the cache of one shard.
//!
//! No I/O, no clock, no global state, one thread at a time ([`Engine`] is `Send`): the caller passes time and keys, and
//! gets outcomes. Memory is one address range per shard (`segment`), whose pages are drawn against a [`Budget`] that
//! all shards share; pages are cut into chunks by slab class (`slab`), items are one chunk or a chain of them (`item`),
//! and the index of the shard lies in chunks too (`index`), so that the limit holds for all of it.
//!
//! ```text
//! verbs  stage  pin       what clients ask for; values that arrive in pieces; items being sent
//! upkeep  reports         what happens in the background: expiry, walks, restart; counters and amounts, for users
//!   |
//! engine                  the parts together: those below, receiving (values on their way in) and walks
//!   |
//! place  evict            where memory comes from; which item goes for it
//!   |
//! contents                items that are there, found or dead (clock), and the bound on a call (effort)
//!   |  \
//!   |   index             hash -> chunk
//!   |  /
//! item                    fields of items in chunks, chains
//!   |
//! slab                    chunks, pages, budget
//!   |
//! segment                 access to the address space; unsafe code: here, in `words`, `mapping` and `prefault` (with
//!   |                     the markers on `index::bucket` and `index::leaf`)
//! words                   writing what other threads may be reading
//!   |
//! mapping                 the kernel's part: memory comes and goes (`prefault`: before it is asked for)
//!
//! telemetry               counters and events, written by all parts, read by none
//! reader                  lookups by other threads, which see segment and index as they change
//! ```
//!
//! ```
//! use corecached_engine::{
//!     Budget, Deadline, Engine, EngineConfig, Fetch, KeyHasher, Seconds, Store, StoreExtras, StoreMode,
//! };
//!
//! let hasher = KeyHasher::new(7);
//! let limit_bytes = 8 << 20;
//! let config = EngineConfig {
//!     hasher,
//!     page_bytes: EngineConfig::page_bytes_for(limit_bytes, 1),
//!     ..EngineConfig::default()
//! };
//! let mut engine = Engine::new(config, Budget::new(limit_bytes))?;
//!
//! let (key, now) = (b"greeting", Seconds(2));
//! let hash = hasher.hash(key);
//! let stored = engine.store(
//!     &Store {
//!         mode: StoreMode::Set,
//!         key,
//!         hash,
//!         client_flags: 0,
//!         deadline: Deadline(60),
//!         extras: StoreExtras::default(),
//!         value: b"hello",
//!     },
//!     now,
//! );
//! assert!(stored.cas().is_some());
//!
//! let hit = engine.get(key, hash, now, Fetch::Count).expect("it was stored");
//! assert_eq!(hit.value_chunks().collect::<Vec<_>>().concat(), b"hello");
//! // Time comes in with each call: a minute later the item is dead.
//! assert!(engine.get(key, hash, Seconds(60), Fetch::Count).is_none());
//! # Ok::<(), std::io::Error>(())
//! ```

mod api;
mod budget;
mod cas;
mod clock;
mod config;
mod contents;
mod effort;
mod engine;
mod evict;
mod id;
mod index;
mod item;
mod limit;
mod mapping;
mod pin;
mod place;
mod prefault;
mod reader;
mod receiving;
mod reports;
mod segment;
mod shown_clock;
mod slab;
mod stage;
mod telemetry;
mod types;
mod upkeep;
mod verbs;
mod walks;
mod words;

pub use api::{
    Arith, ArithExtras, ArithOp, ArithOutcome, Create, Delete, DeleteOutcome, Fetch, MetaFetch,
    Piece, ReapProgress, Recache, Release, Reserve, Room, Space, Store, StoreExtras, StoreMode,
    StoreOutcome, StoreRefusal, SweepProgress, TouchOutcome,
};
pub use budget::Budget;
pub use config::{EngineConfig, MemoryFile};
pub use engine::Engine;
pub use index::ReadNote;
pub use item::next_piece;
pub use pin::{Pin, PinnedValue};
pub use place::{IDLE_FOR_EVER, ReassignOutcome};
pub use reader::{Read, ReadFacts, ReadNotes, SharedReader, Wanted};
pub use receiving::{Staged, StagedTicket};
pub use segment::write_space;
pub use telemetry::events::EngineEvent;
pub use telemetry::{ClassStats, EngineStats, MemoryReport, Vitals};
pub use types::{Deadline, ItemHandle, KeyHash, KeyHasher, Seconds};
pub use upkeep::saved::RestoreError;
pub use upkeep::walk::{PageCursor, WalkCursor, WalkedItem};
pub use verbs::get::{Hit, Lookup};
pub use verbs::observe::{Observed, Presence};

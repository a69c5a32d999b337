//! Which of several servers, or of a server's shards, a key belongs to.
//!
//! ```text
//!   Ketama    MD5 of the key  -> the next point on a ring of points, each of which belongs to a server
//!   ShardMap  xxh3 of the key -> ((hash >> 32) * shards) >> 32
//! ```

mod ketama;
mod shards;

pub use ketama::Ketama;
pub use shards::{ShardMap, ShardMapError, SourcePorts};

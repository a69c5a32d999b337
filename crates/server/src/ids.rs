//! Names of shards, connections and replies: numbers of distinct types, known to every part of the server.
//!
//! ```text
//! ShardId   0 .. -t
//! ConnId    generation (23 bits) | index (32 bits), unique in its shard
//! ReplySeq  counts the replies of a connection that another shard owes, or that wait behind such a reply
//! ```

use corecached_reactor::Token;

/// Number of a shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShardId(pub(crate) u16);

/// Names a connection of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnId {
    /// The connection's place in the table.
    pub(crate) index: u32,
    /// Number of connections that had that place before.
    pub(crate) generation: u32,
}

impl ConnId {
    /// Generations wrap at 23 bits: a [`Token`] has 56 bits, and its highest marks a listener.
    pub(crate) const GENERATION_MASK: u32 = (1 << 23) - 1;

    /// The token of the connection's ring operations.
    pub(crate) fn token(self) -> Token {
        Token(u64::from(self.generation) << 32 | u64::from(self.index))
    }

    /// The connection a token stands for.
    pub(crate) fn from_token(token: Token) -> ConnId {
        ConnId {
            index: token.0 as u32,
            generation: (token.0 >> 32) as u32 & ConnId::GENERATION_MASK,
        }
    }
}

/// Place of a reply in the order of its connection's replies, while it is awaited from another shard; wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplySeq(pub(crate) u32);

/// The place where the reply of an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyTo {
    /// The connection, on the shard that the operation comes from.
    pub(crate) conn: ConnId,
    /// The place in the connection's order of replies.
    pub(crate) seq: ReplySeq,
}

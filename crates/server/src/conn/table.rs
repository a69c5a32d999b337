//! The connections of one shard, by index and generation: a completion that arrives late for a closed connection names
//! an old generation and finds nothing.

use corecached_reactor::Token;

use super::Conn;

/// Names a connection of one shard: `generation (23 bits) | index (32 bits)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnId {
    index: u32,
    generation: u32,
}

/// Generations wrap at 23 bits: a [`Token`] has 56 bits, and its highest marks a listener.
const GENERATION_MASK: u32 = (1 << 23) - 1;

impl ConnId {
    /// The token of its ring operations.
    pub(crate) fn token(self) -> Token {
        Token(u64::from(self.generation) << 32 | u64::from(self.index))
    }

    /// The connection a token stands for.
    pub(crate) fn from_token(token: Token) -> ConnId {
        ConnId {
            index: token.0 as u32,
            generation: (token.0 >> 32) as u32 & GENERATION_MASK,
        }
    }
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    conn: Option<Conn>,
}

/// All connections of one shard.
#[derive(Debug, Default)]
pub(crate) struct ConnTable {
    entries: Vec<Entry>,
    free: Vec<u32>,
    len: usize,
}

impl ConnTable {
    /// Adds the connection that `make` builds around its id.
    pub(crate) fn insert(&mut self, make: impl FnOnce(ConnId) -> Conn) -> ConnId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                conn: None,
            });
            (self.entries.len() - 1) as u32
        });
        let entry = &mut self.entries[index as usize];
        let id = ConnId {
            index,
            generation: entry.generation,
        };
        entry.conn = Some(make(id));
        self.len += 1;
        id
    }

    /// The connection, if it is still open.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let entry = self.entries.get_mut(id.index as usize)?;
        if entry.generation == id.generation {
            entry.conn.as_mut()
        } else {
            None
        }
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let entry = self.entries.get_mut(id.index as usize)?;
        if entry.generation != id.generation {
            return None;
        }
        let conn = entry.conn.take()?;
        entry.generation = entry.generation.wrapping_add(1) & GENERATION_MASK;
        self.free.push(id.index);
        self.len -= 1;
        Some(conn)
    }

    /// Number of open connections.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All open connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Conn> {
        self.entries.iter().filter_map(|entry| entry.conn.as_ref())
    }

    /// Ids of all open connections.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.iter().map(|conn| conn.id).collect()
    }
}

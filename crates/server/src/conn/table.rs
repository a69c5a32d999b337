//! The connections of one shard, by index and generation: a completion that arrives late for a closed connection names
//! an old generation and finds nothing.

use crate::ids::ConnId;

use super::{Conn, Held};

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
    /// Bytes that each connection holds, by place. They lie apart from the connections, so that the largest is found in
    /// a few microseconds.
    held: Vec<u32>,
    totals: Totals,
}

/// Bytes that all connections of a shard hold on the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Input.
    pub(crate) input: u64,
    /// Replies.
    pub(crate) output: u64,
    /// Commands that are being worked on.
    pub(crate) work: u64,
}

impl Totals {
    /// The sum of all purposes.
    pub(crate) fn all(&self) -> u64 {
        self.input + self.output + self.work
    }

    fn change(&mut self, was: Held, is: Held) {
        for (total, was, is) in [
            (&mut self.input, was.input, is.input),
            (&mut self.output, was.output, is.output),
            (&mut self.work, was.work, is.work),
        ] {
            *total = *total + u64::from(is) - u64::from(was);
        }
    }
}

impl ConnTable {
    /// Adds the connection that `make` builds around its id.
    pub(crate) fn insert(&mut self, make: impl FnOnce(ConnId) -> Conn) -> ConnId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                conn: None,
            });
            self.held.push(0);
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
        entry.generation = entry.generation.wrapping_add(1) & ConnId::GENERATION_MASK;
        self.free.push(id.index);
        self.len -= 1;
        self.totals.change(conn.counted, Held::default());
        self.held[id.index as usize] = 0;
        Some(conn)
    }

    /// Counts the memory that a connection holds now.
    #[inline]
    pub(crate) fn count(&mut self, id: ConnId) {
        let Some(conn) = self.get_mut(id) else { return };
        let (was, is) = (conn.counted, conn.held());
        if was != is {
            conn.counted = is;
            self.held[id.index as usize] = u32::try_from(is.total()).unwrap_or(u32::MAX);
            self.totals.change(was, is);
        }
    }

    /// The memory that all connections hold.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// The connection that holds most and the memory that it holds, if any connection holds memory. From now on it
    /// counts as one that holds nothing, since it is to be closed.
    pub(crate) fn take_largest(&mut self) -> Option<(ConnId, Held)> {
        let (place, _) = self
            .held
            .iter()
            .enumerate()
            .max_by_key(|(_, held)| **held)?;
        let conn = self.entries[place].conn.as_mut()?;
        let (id, held) = (conn.id, std::mem::take(&mut conn.counted));
        self.held[place] = 0;
        self.totals.change(held, Held::default());
        (held != Held::default()).then_some((id, held))
    }

    /// Bytes of the table itself.
    pub(crate) fn table_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + (self.free.capacity() + self.held.capacity()) * size_of::<u32>()
    }

    /// Number of open connections.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of places in the table, taken or free.
    pub(crate) fn places(&self) -> usize {
        self.entries.len()
    }

    /// The connection in a place, if there is one.
    pub(crate) fn at(&self, place: usize) -> Option<&Conn> {
        self.entries.get(place)?.conn.as_ref()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::{AuthState, Link};
    use crate::listen::ListenerId;
    use corecached_engine::Seconds;

    fn insert(table: &mut ConnTable) -> ConnId {
        table.insert(|id| {
            let link = Link::datagram(-1, 0);
            Conn::new(link, id, ListenerId(0), AuthState::Done, None, Seconds(0))
        })
    }

    /// Makes a connection hold `bytes` bytes of input.
    fn grow(table: &mut ConnTable, id: ConnId, bytes: usize) {
        let conn = table.get_mut(id).unwrap();
        conn.input = crate::conn::input::Input::default();
        conn.input.keep(&vec![b'x'; bytes]);
        table.count(id);
    }

    #[test]
    fn the_sum_is_that_of_the_open_connections_and_the_largest_goes_first() {
        let mut table = ConnTable::default();
        let ids: Vec<ConnId> = (0..100).map(|_| insert(&mut table)).collect();
        assert_eq!(
            (table.totals(), table.take_largest()),
            (Totals::default(), None)
        );
        for (number, &id) in ids.iter().enumerate() {
            grow(&mut table, id, 1000 * (1 + number * 37 % 100));
        }
        // The connections shrink, grow and go.
        for &id in &ids[..50] {
            grow(&mut table, id, 100);
        }
        for &id in &ids[90..] {
            table.remove(id);
        }
        let sum = table.iter().map(|conn| conn.held().total() as u64).sum();
        assert_eq!(table.totals().all(), sum);
        let mut largest = Vec::new();
        while let Some((id, held)) = table.take_largest() {
            assert!(held.is_mostly_input());
            largest.push(held.total());
            // The connection is closed some time later, or something happens to it before.
            if largest.len() % 2 == 0 {
                table.remove(id);
            }
        }
        assert_eq!(largest.len(), 90);
        assert!(largest.is_sorted_by(|one, other| one >= other));
        assert_eq!(table.totals(), Totals::default());
        assert_eq!(table.len(), 45);
    }
}

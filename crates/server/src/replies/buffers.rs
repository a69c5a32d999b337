//! Buffers for replies that a shard keeps between turns, so that replies in steady state allocate nothing.
//!
//! ```text
//!   reactor --> ready --> the replies that a connection may send now --> reactor
//!               sides <-> replies that wait for another shard's; given back when nothing waits
//! ```

/// Capacity of a new side buffer: the replies of a pipeline of small values.
const SIDE_BYTES: usize = 2 * 1024;
/// A side buffer that has grown above this capacity is freed.
const SIDE_BYTES_MAX: usize = 16 * 1024;
/// Capacity of all side buffers that a shard keeps: those of the connections of one turn.
const SIDES_BYTES_MAX: usize = 512 * 1024;
/// What is kept of it by a shard without traffic.
const PARKED_BYTES_MAX: usize = 64 * 1024;

/// The empty buffers of one shard.
#[derive(Debug, Default)]
pub(crate) struct ReplyBuffers {
    /// A buffer for the next replies, which was used recently and is likely in the cache.
    pub(crate) ready: Option<Vec<u8>>,
    /// Side buffers, the last one used recently.
    sides: Vec<Vec<u8>>,
    /// Their capacity.
    sides_bytes: usize,
}

impl ReplyBuffers {
    /// Takes a buffer for replies that may be sent now.
    #[inline]
    pub(super) fn take_ready(&mut self) -> Vec<u8> {
        self.ready.take().unwrap_or_default()
    }

    /// Takes a buffer for replies that wait for an earlier one.
    pub(super) fn take_side(&mut self) -> Vec<u8> {
        match self.sides.pop() {
            Some(side) => {
                self.sides_bytes -= side.capacity();
                side
            }
            None => Vec::with_capacity(SIDE_BYTES),
        }
    }

    /// Takes a side buffer back, or frees it if it has grown large or there are enough.
    pub(super) fn give_side(&mut self, mut side: Vec<u8>) {
        let capacity = side.capacity();
        let is_of_use = (1..=SIDE_BYTES_MAX).contains(&capacity);
        if is_of_use && self.sides_bytes + capacity <= SIDES_BYTES_MAX {
            side.clear();
            self.sides_bytes += capacity;
            self.sides.push(side);
        }
    }

    /// Frees what a shard without traffic does not need.
    pub(crate) fn shrink(&mut self) {
        while self.sides_bytes > PARKED_BYTES_MAX {
            drop(self.take_side());
        }
    }

    /// Bytes of heap memory that the side buffers hold.
    pub(crate) fn held_bytes(&self) -> usize {
        self.sides_bytes + self.sides.capacity() * size_of::<Vec<u8>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_buffers_come_again_and_large_or_many_ones_are_freed() {
        let mut buffers = ReplyBuffers::default();
        let mut side = buffers.take_side();
        side.extend_from_slice(b"STORED\r\n");
        let place = side.as_ptr();
        buffers.give_side(side);
        let again = buffers.take_side();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        buffers.give_side(again);
        buffers.give_side(Vec::with_capacity(SIDE_BYTES_MAX + 1));
        buffers.give_side(Vec::new());
        assert_eq!((buffers.sides.len(), buffers.sides_bytes), (1, SIDE_BYTES));
        for _ in 0..1000 {
            buffers.give_side(Vec::with_capacity(SIDE_BYTES));
        }
        assert_eq!(buffers.sides_bytes, SIDES_BYTES_MAX);
        buffers.shrink();
        assert_eq!(buffers.sides_bytes, PARKED_BYTES_MAX);
    }
}

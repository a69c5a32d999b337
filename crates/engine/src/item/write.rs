//! Writing the header and key of a new item.

use super::{CHAIN_BYTES, HEAD_BYTES, Head, Items, Marks, State};
use crate::slab::ChunkRef;
use crate::types::Deadline;

/// Largest number of bytes before the value: all fields, and a key of 255 bytes.
const HEADER_BYTES_MAX: usize = HEAD_BYTES + 8 + 4 + 4 + CHAIN_BYTES + 255;

/// The contents of a new item, except for the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) client_flags: u32,
    pub(crate) deadline: Deadline,
    /// The cas unique; `None` until the engine gives the item the next one.
    pub(crate) cas: Option<u64>,
    pub(crate) marks: Marks,
    /// Whether the item gets room for a deadline even if it has none yet.
    pub(crate) deadline_room: bool,
    /// Length of the whole value.
    pub(crate) value_bytes: usize,
}

/// Which optional fields an item has, and how long they make its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    cas_width: usize,
    flags: bool,
    deadline: bool,
}

impl Shape {
    /// Bytes of the header of an item that is not a chain.
    #[inline]
    fn header_bytes(self) -> usize {
        HEAD_BYTES + self.cas_width + 4 * usize::from(self.flags) + 4 * usize::from(self.deadline)
    }
}

impl Items {
    /// The shape of an item with these fields that is not a chain.
    #[inline]
    fn shape(&self, fields: &Fields<'_>) -> Shape {
        let cas_width = if fields.cas.is_some_and(|cas| self.is_wide(cas)) {
            8
        } else {
            self.cas_bytes
        };
        Shape {
            cas_width,
            flags: fields.client_flags != 0,
            deadline: fields.deadline != Deadline::NEVER || fields.deadline_room,
        }
    }

    /// The shape of a chain with these fields. A deadline and a cas unique of any width always have room, so that no
    /// command has to make its header longer.
    fn chain_shape(&self, fields: &Fields<'_>) -> Shape {
        Shape {
            cas_width: if self.cas_bytes == 0 { 0 } else { 8 },
            flags: fields.client_flags != 0,
            deadline: true,
        }
    }

    /// Bytes of the chunk that holds the whole item.
    #[inline]
    pub(crate) fn single_bytes(&self, fields: &Fields<'_>) -> usize {
        self.shape(fields).header_bytes() + fields.key.len() + fields.value_bytes
    }

    /// Bytes before the value in an item that is not a chain.
    pub(crate) fn single_value_at(&self, fields: &Fields<'_>) -> usize {
        self.shape(fields).header_bytes() + fields.key.len()
    }

    /// Bytes before the value in the first chunk of a chain.
    pub(crate) fn chain_value_at(&self, fields: &Fields<'_>) -> usize {
        self.chain_shape(fields).header_bytes() + CHAIN_BYTES + fields.key.len()
    }

    /// Writes header and key of an item whose first chunk holds `length` bytes of value.
    ///
    /// Returns the offset of the value in the segment.
    #[inline]
    pub(crate) fn write_header(
        &mut self,
        chunk: ChunkRef,
        state: State,
        fields: &Fields<'_>,
        length: usize,
    ) -> usize {
        let head = Head::new(state, fields.key.len(), length);
        let shape = if head.is_chain() {
            self.chain_shape(fields)
        } else {
            self.shape(fields)
        };
        let head = head
            .with_flags(shape.flags)
            .with_deadline(shape.deadline)
            .with_cas64(shape.cas_width == 8)
            .with_marks(fields.marks);
        let value_at = head.value_at(self.cas_bytes);
        let mut header = [0; HEADER_BYTES_MAX];
        let bytes = &mut header[..value_at];
        bytes[..HEAD_BYTES].copy_from_slice(&head.0.to_le_bytes());
        let mut rest = &mut bytes[HEAD_BYTES..];
        let cas = fields.cas.unwrap_or(0).to_le_bytes();
        put(&mut rest, &cas[..shape.cas_width]);
        if shape.flags {
            put(&mut rest, &fields.client_flags.to_le_bytes());
        }
        if shape.deadline {
            put(&mut rest, &fields.deadline.0.to_le_bytes());
        }
        if head.is_chain() {
            put(&mut rest, &(fields.value_bytes as u32).to_le_bytes());
            put(&mut rest, &[0; CHAIN_BYTES - 4]);
        }
        put(&mut rest, fields.key);
        let address = self.slabs.address(chunk);
        self.slabs.segment.write(address, bytes);
        address + value_at
    }
}

#[inline]
fn put(rest: &mut &mut [u8], field: &[u8]) {
    let (here, behind) = std::mem::take(rest).split_at_mut(field.len());
    here.copy_from_slice(field);
    *rest = behind;
}

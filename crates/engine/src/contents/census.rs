//! The number and the size of the linked items: of all, and by class.
//!
//! ```text
//! link: + 1, + bytes        unlink: - 1, - bytes        nothing else changes it, `stats reset` neither
//! ```

use serde::{Deserialize, Serialize};

use crate::item::Item;

/// The items of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OfClass {
    /// Number of items.
    pub(crate) items: u64,
    /// Bytes of header, optional fields, key and value, without rounding.
    pub(crate) bytes: u64,
}

/// The number of linked items and their bytes, together and by class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Census {
    bytes: u64,
    payload_bytes: u64,
    items: u64,
    classes: Vec<OfClass>,
}

impl Census {
    /// A census of no items, with so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            items: 0,
            bytes: 0,
            payload_bytes: 0,
            classes: vec![OfClass::default(); classes],
        }
    }

    /// Adds an item of a class.
    #[inline(always)]
    pub(crate) fn add(&mut self, class: u8, item: &Item<'_>) {
        let bytes = item.requested_bytes() as u64;
        self.items += 1;
        self.bytes += bytes;
        self.payload_bytes += item.payload_bytes() as u64;
        let of_class = &mut self.classes[usize::from(class)];
        of_class.items += 1;
        of_class.bytes += bytes;
    }

    /// Takes an item of a class away.
    #[inline(always)]
    pub(crate) fn subtract(&mut self, class: u8, item: &Item<'_>) {
        let bytes = item.requested_bytes() as u64;
        self.items -= 1;
        self.bytes -= bytes;
        self.payload_bytes -= item.payload_bytes() as u64;
        let of_class = &mut self.classes[usize::from(class)];
        of_class.items -= 1;
        of_class.bytes -= bytes;
    }

    /// Number of linked items.
    pub(crate) fn items(&self) -> u64 {
        self.items
    }

    /// Bytes of linked items: header, optional fields, key and value, without rounding.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of keys and values of linked items.
    pub(crate) fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The items whose first chunk is in a class.
    #[inline]
    pub(crate) fn of_class(&self, class: u8) -> OfClass {
        self.classes[usize::from(class)]
    }
}

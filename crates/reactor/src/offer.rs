//! Buffers as they are offered to a driver that fills them itself.

/// Where the buffers of a group lie, for a driver that fills them itself.
#[derive(Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) base: *mut u8,
    pub(crate) count: u16,
    pub(crate) buffer_bytes: u32,
}

impl Offer {
    /// Where a buffer begins, and how many bytes it has.
    pub(crate) fn buffer(&self, index: u16) -> (*mut u8, usize) {
        assert!(index < self.count, "a buffer of this group");
        let bytes = self.buffer_bytes as usize;
        (self.base.wrapping_add(usize::from(index) * bytes), bytes)
    }
}

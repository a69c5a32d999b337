//! The receive buffers that the driver may write to: what the buffer ring is to an io_uring.
//!
//! The one given back last is taken first: it is still in the cache.

use crate::buffers::Offer;

/// The buffers of one group.
#[derive(Default)]
pub(super) struct Supply {
    offer: Option<Offer>,
    free: Vec<u16>,
}

/// A buffer of a group that nobody else has.
pub(super) struct Space {
    pub(super) index: u16,
    pub(super) start: *mut u8,
    pub(super) bytes: usize,
}

impl Supply {
    /// These are the buffers of this group, of which none may be written to yet.
    pub(super) fn offer(&mut self, offer: Offer) {
        self.offer = Some(offer);
    }

    /// Those of `indexes` may be.
    pub(super) fn give(&mut self, indexes: &mut Vec<u16>) {
        self.free.append(indexes);
    }

    /// A buffer to write to, which is not given back before the caller of the driver has had it.
    pub(super) fn take(&mut self) -> Option<Space> {
        let offer = self.offer?;
        let index = self.free.pop()?;
        let (start, bytes) = offer.buffer(index);
        Some(Space {
            index,
            start,
            bytes,
        })
    }

    /// Nothing has been written to it.
    pub(super) fn give_back(&mut self, space: Space) {
        self.free.push(space.index);
    }
}

//! The receive buffers that the driver may write to. They take the place of an io_uring's buffer ring.
//!
//! The buffer given back last is taken first: it is still in the cache.

use crate::offer::Offer;

/// The buffers of one group.
#[derive(Default)]
pub(super) struct Supply {
    offer: Option<Offer>,
    free: Vec<u16>,
}

/// A buffer of a group that only the driver may write to.
pub(super) struct Space {
    pub(super) index: u16,
    pub(super) start: *mut u8,
    pub(super) bytes: usize,
}

impl Supply {
    /// Sets the buffers of this group; none of them may be written to yet.
    pub(super) fn offer(&mut self, offer: Offer) {
        self.offer = Some(offer);
    }

    /// The buffers with these indexes may be written to from now on.
    pub(super) fn give(&mut self, indexes: &mut Vec<u16>) {
        self.free.append(indexes);
    }

    /// Takes a buffer to write to. Unless it stays empty, it comes back only after the caller of the driver has had it.
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

    /// Gives back a buffer to which nothing has been written.
    pub(super) fn give_back(&mut self, space: Space) {
        self.free.push(space.index);
    }
}

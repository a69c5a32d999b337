//! The value of a hit on its way out: a small one is copied, a large one is pinned, and sent from where it is.

use corecached_engine::{Hit, ItemHandle, Pin, next_piece};
use corecached_reactor::{Chain, Insert, Outgoing, Run};

use crate::ids::ShardId;
use crate::operation::access::Access;

/// Values of at least this size are sent from slab memory instead of being copied; docs/benchmarks.md has the
/// measurement.
pub(crate) const SEND_IN_PLACE_BYTES: usize = 16 * 1024;

/// With this many bytes in a buffer of replies, smaller values are sent from slab memory, too. The length of replies is
/// unknown before they are made, the replies to a whole batch of another shard come together, and copied bytes lie
/// outside `-m`.
const COPIED_BYTES_MAX: usize = 256 * 1024;
/// Values smaller than this are always copied: they are not much larger than the record of a value that is sent in
/// place.
const SEND_IN_PLACE_BYTES_MIN: usize = 512;

/// The value follows, and then these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThenValue(pub(crate) &'static [u8]);

/// Whether a value is sent from slab memory, if `buffered_bytes` bytes are in the buffer before it.
#[inline]
pub(super) fn stays_in_place(value_bytes: usize, buffered_bytes: usize) -> bool {
    value_bytes >= SEND_IN_PLACE_BYTES
        || (buffered_bytes > COPIED_BYTES_MAX && value_bytes >= SEND_IN_PLACE_BYTES_MIN)
}

/// Length of the longest value that is copied, with `buffered_bytes` bytes in the buffer before it.
#[inline]
pub(super) fn copied_max(buffered_bytes: usize) -> usize {
    match buffered_bytes > COPIED_BYTES_MAX {
        true => SEND_IN_PLACE_BYTES_MIN - 1,
        false => SEND_IN_PLACE_BYTES - 1,
    }
}

/// Appends a copy of the value.
#[inline]
pub(super) fn copy(hit: &Hit<'_>, out: &mut Vec<u8>) {
    if let Some(value) = hit.single_chunk() {
        out.extend_from_slice(value);
        return;
    }
    for chunk in hit.value_chunks() {
        out.extend_from_slice(chunk);
    }
}

/// Pins an item, so that its value is sent from where it lies.
pub(super) fn send_in_place(access: &mut Access<'_>, item: ItemHandle, out: &mut Outgoing) {
    let (pin, pinned) = access.engine.pin(item);
    let chain = (pinned.link != 0).then_some(Chain {
        base: pinned.base,
        link: pinned.link,
        follow: next_piece,
    });
    let first = Run {
        ptr: pinned.first.ptr,
        len: pinned.first.len,
        chain,
    };
    let cookie = PinCookie {
        shard: access.shard,
        pin,
    };
    let (at, length) = (out.bytes.len(), pinned.value_bytes);
    // SAFETY: a pinned value stays as it is, and where it is, until it is unpinned, and bytes that are appended to it
    // lie behind the value. The code that unpins it has taken the insert for its cookie (`PinCookie::of`), and segments
    // outlive the shards.
    let insert = unsafe { Insert::new(at, length, first, cookie.pack()) };
    out.inserts.push(insert);
}

/// The pin of a value in the form that the cookie of its insert carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PinCookie {
    /// The shard in whose memory the value lies.
    pub(crate) shard: ShardId,
    /// The pin.
    pub(crate) pin: Pin,
}

impl PinCookie {
    /// `1 | shard (16 bits) | item (32 bits)`; never 0, which marks an insert that pins nothing.
    fn pack(self) -> u64 {
        1 << 48 | u64::from(self.shard.0) << 32 | u64::from(self.pin.into_bits())
    }

    /// The pin that `insert` holds, if it holds one. The insert is taken, as its memory is not to be read any more.
    pub(crate) fn of(insert: Insert) -> Option<PinCookie> {
        let cookie = insert.into_cookie();
        (cookie != 0).then(|| PinCookie {
            shard: ShardId((cookie >> 32) as u16),
            // SAFETY: the insert is taken for its cookie, which `pack` has made of the only pin. It goes back to the
            // engine of the shard that it names.
            pin: unsafe { Pin::from_bits(cookie as u32) },
        })
    }
}

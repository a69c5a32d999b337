//! How much memory values that are still on their way in may claim together, so that half-sent values leave most of the
//! cache to whole ones.
//!
//! ```text
//! all values on their way in    a quarter of -m; up to a half while another quarter is free beside all that is claimed
//! small ones, besides           a sixteenth, whatever the others have claimed
//! ```
//!
//! As in memcached, a value claims all of its length when it is announced, although its memory is taken as its bytes
//! come. So a value that is let in can be received to its end. A value that is not let in waits for a while, since
//! values that are really being sent are soon whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Values on their way in may claim one in this many bytes of the memory limit.
const SHARE: u64 = 4;
/// Like [`SHARE`], while as much memory as [`SHARE`] means is free besides all claims.
const SHARE_WITH_ROOM: u64 = 2;
/// Small values may claim one in this many bytes for themselves: a few large values that never end must not keep
/// everybody's small values out.
const SMALL_SHARE: u64 = 16;
/// Values up to this size are small.
const SMALL_BYTES_MAX: u64 = 64 * 1024;

/// The claims of all values of a process that are on their way in.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    /// Bytes that all values have claimed of the common share.
    shared_bytes: AtomicU64,
    /// Bytes that small values have claimed of their own share.
    small_bytes: AtomicU64,
}

/// A value's claim; dropping it ends the claim.
#[derive(Debug)]
pub(crate) struct Claim {
    uploads: Arc<Uploads>,
    bytes: u64,
    /// Whether the claim is one of the share for small values.
    is_small: bool,
}

impl Uploads {
    /// Lets a value in if its length fits beside the claims of others, or if there are no others. `free_bytes` of the
    /// limit are free.
    pub(crate) fn claim(
        self: &Arc<Self>,
        value_bytes: usize,
        limit_bytes: u64,
        free_bytes: u64,
    ) -> Option<Claim> {
        let bytes = value_bytes as u64;
        let is_small = bytes <= SMALL_BYTES_MAX && self.claim_small(bytes, limit_bytes);
        let is_let_in = is_small || self.claim_shared(bytes, limit_bytes, free_bytes);
        is_let_in.then(|| Claim {
            uploads: Arc::clone(self),
            bytes,
            is_small,
        })
    }

    fn claim_small(&self, bytes: u64, limit_bytes: u64) -> bool {
        let add =
            |claimed: u64| Some(claimed + bytes).filter(|&sum| sum <= limit_bytes / SMALL_SHARE);
        let claimed = self
            .small_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        claimed.is_ok()
    }

    fn claim_shared(&self, bytes: u64, limit_bytes: u64, free_bytes: u64) -> bool {
        let add = |claimed: u64| {
            let sum = claimed + bytes;
            let has_room = free_bytes >= sum + limit_bytes / SHARE;
            let with_room = has_room && sum <= limit_bytes / SHARE_WITH_ROOM;
            (claimed == 0 || sum <= limit_bytes / SHARE || with_room).then_some(sum)
        };
        let claimed = self
            .shared_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        claimed.is_ok()
    }

    /// Bytes claimed now.
    pub(crate) fn claimed_bytes(&self) -> u64 {
        self.shared_bytes.load(Ordering::Relaxed) + self.small_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let claimed = match self.is_small {
            true => &self.uploads.small_bytes,
            false => &self.uploads.shared_bytes,
        };
        claimed.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;
    const LIMIT: u64 = 64 << 20;

    #[test]
    fn claims_end_at_the_share_and_with_the_value() {
        let uploads = Arc::new(Uploads::default());
        let claims: Vec<Claim> = (0..).map_while(|_| uploads.claim(MIB, LIMIT, 0)).collect();
        assert_eq!(claims.len(), 16);
        let small: Vec<Claim> = (0..)
            .map_while(|_| uploads.claim(64 << 10, LIMIT, 0))
            .collect();
        assert_eq!(small.len(), 64);
        assert!(uploads.claim(1, LIMIT, 0).is_none());
        drop(small);
        assert!(uploads.claim(MIB, LIMIT, 0).is_none());
        drop(claims);
        assert_eq!(uploads.claimed_bytes(), 0);
        assert!(uploads.claim(MIB, LIMIT, 0).is_some());
    }

    #[test]
    fn with_free_memory_more_may_be_claimed() {
        let claims = |free_bytes: u64| {
            let uploads = Arc::new(Uploads::default());
            let claims = (0..).map_while(|_| uploads.claim(MIB, LIMIT, free_bytes));
            claims.collect::<Vec<Claim>>().len()
        };
        assert_eq!([LIMIT, 40 << 20, 20 << 20].map(claims), [32, 24, 16]);
    }

    /// Regression: large values had claimed a half while much was free, and small values of other clients were then
    /// refused.
    #[test]
    fn small_values_have_a_share_that_large_ones_cannot_claim() {
        let uploads = Arc::new(Uploads::default());
        let large = (0..).map_while(|_| uploads.claim(MIB, LIMIT, LIMIT));
        let large: Vec<Claim> = large.collect();
        assert_eq!(large.len(), 32);
        let small = (0..).map_while(|_| uploads.claim(9000, LIMIT, 0));
        let small: Vec<Claim> = small.collect();
        assert_eq!(small.len() as u64, LIMIT / SMALL_SHARE / 9000);
    }

    #[test]
    fn a_single_value_may_be_larger_than_the_share() {
        let uploads = Arc::new(Uploads::default());
        let large = uploads.claim(32 * MIB, LIMIT, 0);
        assert!(large.is_some() && uploads.claim(MIB, LIMIT, 0).is_none());
        drop(large);
        let other = uploads.claim(MIB, LIMIT, 0);
        assert!(other.is_some() && uploads.claim(32 * MIB, LIMIT, 0).is_none());
    }
}

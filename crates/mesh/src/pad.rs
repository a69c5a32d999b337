//! A value on cache lines of its own, so that one core's writes do not slow another core's reads of its neighbour.

use std::ops::Deref;

/// Two 64-byte lines: the adjacent-line prefetcher of x86 moves lines in pairs, and some Arm cores have lines of 128.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

//! The name of a chunk.

use serde::{Deserialize, Serialize};

/// Address of a chunk in granules; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(transparent)]
pub(crate) struct ChunkRef(pub(crate) u32);

impl ChunkRef {
    pub(crate) const NULL: Self = Self(0);

    #[inline]
    pub(crate) fn is_null(self) -> bool {
        self.0 == 0
    }
}

//! What `me` and `lru_crawler metadump` tell of an item in the same words.

use itoa::Integer;

use crate::reply::number;

/// These fields, in the order in which they are written.
pub(crate) struct ItemFields<T> {
    /// When the item was last used, or how many seconds ago.
    pub(crate) last_access: T,
    /// The cas unique.
    pub(crate) cas: u64,
    /// Whether the item was fetched since it was stored.
    pub(crate) fetched: bool,
    /// The slab class.
    pub(crate) class: u32,
    /// Bytes of the whole item.
    pub(crate) item_bytes: usize,
}

impl<T: Integer> ItemFields<T> {
    /// Appends the fields, each with a space before it.
    pub(crate) fn append(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b" la=");
        number(out, self.last_access);
        out.extend_from_slice(b" cas=");
        number(out, self.cas);
        out.extend_from_slice(if self.fetched {
            b" fetch=yes cls="
        } else {
            b" fetch=no cls="
        });
        number(out, self.class);
        out.extend_from_slice(b" size=");
        number(out, self.item_bytes);
    }
}

//! Lookup, and what it finds.

use super::Engine;
use crate::api::Fetch;
use crate::item::{Item, Items};
use crate::slab::ChunkRef;
use crate::types::{Deadline, ItemHandle, KeyHash, Seconds};

/// An item found by [`Engine::get`].
#[derive(Debug)]
pub struct Hit<'a> {
    items: &'a Items,
    item: Item<'a>,
    chunk: ChunkRef,
    fetched_before: bool,
    accessed_before: Seconds,
}

impl<'a> Hit<'a> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        self.item.key()
    }

    /// Length of the key.
    #[must_use]
    pub fn key_len(&self) -> usize {
        self.item.head.key_bytes()
    }

    /// The client flags.
    #[inline]
    #[must_use]
    pub fn client_flags(&self) -> u32 {
        self.item.client_flags()
    }

    /// The cas unique, 0 with cas disabled.
    #[inline]
    #[must_use]
    pub fn cas(&self) -> u64 {
        self.item.cas()
    }

    /// The deadline now in effect.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.item.deadline()
    }

    /// When the item was last used, before this lookup.
    #[must_use]
    pub fn last_access(&self) -> Seconds {
        self.accessed_before
    }

    /// Whether a lookup had fetched the item before this one.
    #[must_use]
    pub fn fetched(&self) -> bool {
        self.fetched_before
    }

    /// The slab class of the item (of its first chunk), as shown to users.
    #[must_use]
    pub fn class_id(&self) -> u8 {
        self.items
            .slabs
            .sizes
            .shown_id(self.items.slabs.class_of(self.chunk))
    }

    /// Length of the value.
    #[inline]
    #[must_use]
    pub fn value_len(&self) -> usize {
        self.item.value_bytes()
    }

    /// The value, if it is in one piece.
    #[inline]
    #[must_use]
    pub fn single_chunk(&self) -> Option<&'a [u8]> {
        (!self.item.head.is_chain()).then(|| self.item.value_here())
    }

    /// The value, piece by piece.
    pub fn value_chunks(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.items.value_chunks(self.chunk)
    }

    /// Names the item for [`Engine::pin`].
    #[must_use]
    pub fn handle(&self) -> ItemHandle {
        ItemHandle(self.chunk.0)
    }

    /// Bytes of header, key and value, as `bytes` counts them.
    #[must_use]
    pub fn item_bytes(&self) -> usize {
        self.item.requested_bytes()
    }
}

impl Engine {
    /// Finds a live item.
    ///
    /// With [`Fetch::Touch`], `None` may also mean that a new deadline needed memory and there was none (only with
    /// evictions disabled); the item is then as before.
    #[inline]
    pub fn get(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        now: Seconds,
        fetch: Fetch,
    ) -> Option<Hit<'_>> {
        self.clock.advance(now);
        let Some((_, chunk)) = self.look_up(key, hash) else {
            self.count_miss(fetch);
            return None;
        };
        let before = self.items.head(chunk);
        let fetched_before = before.is_fetched();
        let accessed_before = Seconds(
            self.clock
                .now()
                .0
                .saturating_sub(self.clock.age(before.last_access())),
        );
        let chunk = match fetch {
            Fetch::Quiet => chunk,
            Fetch::Count => {
                self.mark_used(chunk, true);
                self.stats.cmd_get += 1;
                self.stats.get_hits += 1;
                self.class_of(chunk).get_hits += 1;
                chunk
            }
            Fetch::Touch(deadline) => {
                self.mark_used(chunk, true);
                self.touch_found(key, hash, chunk, deadline)?
            }
        };
        Some(Hit {
            item: self.items.item(chunk),
            items: &self.items,
            chunk,
            fetched_before,
            accessed_before,
        })
    }

    fn count_miss(&mut self, fetch: Fetch) {
        match fetch {
            Fetch::Count => {
                self.stats.cmd_get += 1;
                self.stats.get_misses += 1;
            }
            Fetch::Touch(_) => {
                self.stats.cmd_touch += 1;
                self.stats.touch_misses += 1;
            }
            Fetch::Quiet => {}
        }
    }
}

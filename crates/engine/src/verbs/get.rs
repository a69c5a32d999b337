//! Lookups, and the items that they find.

use super::Seen;
use crate::api::{Create, Fetch, MetaFetch, Recache};
use crate::contents::Contents;
use crate::engine::Engine;
use crate::item::{Fields, Head, Item, Marks};
use crate::slab::ChunkRef;
use crate::types::{Deadline, ItemHandle, KeyHash, Seconds};

/// An item found by [`Engine::get`].
#[derive(Debug)]
pub struct Hit<'a> {
    contents: &'a Contents,
    item: Item<'a>,
    found: Found,
}

/// The outcome of a lookup.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// The item; all that was asked for has been done.
    Hit(Hit<'a>),
    /// There is no such item.
    Miss,
    /// There is this item, but no memory for its new deadline. It keeps the deadline that it has.
    OutOfMemory(Hit<'a>),
}

/// The item that a lookup has found, and the changes that the lookup has made.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Where the item is now.
    chunk: ChunkRef,
    /// Its head before this lookup.
    before: Head,
    /// Its deadline before this lookup replaced it.
    deadline_before: Option<Deadline>,
    won: bool,
    created: bool,
}

impl Found {
    /// An item to which nothing has been done.
    #[inline]
    fn unchanged(chunk: ChunkRef, before: Head) -> Found {
        Found {
            chunk,
            before,
            deadline_before: None,
            won: false,
            created: false,
        }
    }
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

    /// The deadline before this lookup. If the lookup has created the item, this is the deadline of the new item.
    #[must_use]
    pub fn deadline_before(&self) -> Deadline {
        self.found.deadline_before.unwrap_or(self.deadline())
    }

    /// Seconds since the item was used before this lookup.
    #[must_use]
    pub fn idle_seconds(&self) -> u32 {
        self.contents.clock.age(self.found.before.last_access())
    }

    /// When the item was last used, before this lookup.
    #[must_use]
    pub fn last_access(&self) -> Seconds {
        let now = self.contents.clock.now();
        Seconds(now.0.saturating_sub(self.idle_seconds()))
    }

    /// Whether a lookup had fetched the item before this one.
    #[must_use]
    pub fn fetched(&self) -> bool {
        self.found.before.is_fetched()
    }

    /// Whether the key came in base64 when the item was stored.
    #[inline]
    #[must_use]
    pub fn has_binary_key(&self) -> bool {
        self.found.before.marks().has_binary_key()
    }

    /// Whether the value is out of date.
    #[inline]
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.found.before.marks().is_stale()
    }

    /// Whether an earlier lookup has won the item.
    #[inline]
    #[must_use]
    pub fn was_won(&self) -> bool {
        self.found.before.marks().is_won()
    }

    /// Whether this lookup wins the item: its client is to fetch the value anew.
    #[inline]
    #[must_use]
    pub fn has_won(&self) -> bool {
        self.found.won
    }

    /// Whether this lookup has created the item.
    #[inline]
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.found.created
    }

    /// The slab class of the item (of its first chunk), as shown to users.
    #[must_use]
    pub fn class_id(&self) -> u8 {
        let class = self.contents.items.slabs.class_of(self.found.chunk);
        self.contents.shown_class(class)
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
        self.contents.items.value_chunks(self.found.chunk)
    }

    /// Names the item for [`Engine::pin`].
    #[must_use]
    pub fn handle(&self) -> ItemHandle {
        ItemHandle(self.found.chunk.0)
    }

    /// Bytes of header, key and value, as `bytes` counts them.
    #[must_use]
    pub fn item_bytes(&self) -> usize {
        self.item.requested_bytes()
    }
}

impl Engine {
    /// Finds a live item.
    #[inline]
    pub fn fetch(&mut self, key: &[u8], hash: KeyHash, now: Seconds, fetch: Fetch) -> Lookup<'_> {
        self.contents.clock.advance(now);
        let (found, is_out_of_memory) = match self.look_up(key, hash) {
            Seen::Live(_, chunk) => match self.found(key, hash, chunk, fetch) {
                Some(found) => (found, false),
                None => (
                    Found::unchanged(chunk, self.contents.items.head(chunk)),
                    true,
                ),
            },
            gone => match self.missed(key, hash, fetch, gone) {
                Some(found) => (found, false),
                None => return Lookup::Miss,
            },
        };
        let hit = Hit {
            item: self.contents.items.item(found.chunk),
            contents: &self.contents,
            found,
        };
        if is_out_of_memory {
            Lookup::OutOfMemory(hit)
        } else {
            Lookup::Hit(hit)
        }
    }

    /// Like [`Self::fetch`], for callers that need not tell a lack of memory from a miss: both are `None`.
    #[inline]
    pub fn get(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        now: Seconds,
        fetch: Fetch,
    ) -> Option<Hit<'_>> {
        match self.fetch(key, hash, now, fetch) {
            Lookup::Hit(hit) => Some(hit),
            Lookup::Miss | Lookup::OutOfMemory(_) => None,
        }
    }

    /// Does to a present item what the lookup asks for; `None` if there is no memory for a deadline.
    #[inline]
    fn found(&mut self, key: &[u8], hash: KeyHash, chunk: ChunkRef, fetch: Fetch) -> Option<Found> {
        let mut found = Found::unchanged(chunk, self.contents.items.head(chunk));
        match fetch {
            Fetch::Quiet => {}
            Fetch::Inspect => self.telemetry.inspected(),
            Fetch::Count => {
                self.contents.mark_fetched(chunk);
                self.count_get_hit(chunk);
            }
            Fetch::Touch(deadline) => {
                self.contents.mark_fetched(chunk);
                found.deadline_before = Some(self.contents.items.item(chunk).deadline());
                found.chunk = self.touch_found(key, hash, chunk, deadline)?;
            }
            Fetch::Meta(meta) => {
                if meta.bump {
                    self.contents.mark_fetched(chunk);
                }
                let is_plain = meta.deadline.is_none() && meta.recache == Recache::Never;
                if is_plain && !found.before.marks().is_stale() {
                    self.count_get_hit(chunk);
                } else {
                    self.fetch_meta(key, hash, &mut found, &meta)?;
                }
            }
        }
        Some(found)
    }

    /// Gives the item its new deadline, and lets the client win the item if it can be won.
    #[cold]
    fn fetch_meta(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        found: &mut Found,
        meta: &MetaFetch,
    ) -> Option<()> {
        let deadline_before = self.contents.items.item(found.chunk).deadline();
        found.deadline_before = Some(deadline_before);
        match meta.deadline {
            Some(deadline) => found.chunk = self.touch_found(key, hash, found.chunk, deadline)?,
            None => self.count_get_hit(found.chunk),
        }
        let recaches = match meta.recache {
            Recache::Never => false,
            Recache::Below(limit) => {
                deadline_before != Deadline::NEVER && deadline_before.0 < limit.0
            }
            Recache::Always => true,
        };
        let marks = found.before.marks();
        if !marks.is_won() && (marks.is_stale() || recaches) {
            found.won = true;
            self.contents
                .items
                .set_marks(found.chunk, marks.with_won(true));
        }
        Some(())
    }

    #[inline]
    fn count_get_hit(&mut self, chunk: ChunkRef) {
        self.placement.balance.note_hit(self.class_of(chunk));
    }

    /// Handles a miss. It is counted as one, unless the lookup creates the item: that counts as a hit.
    fn missed(&mut self, key: &[u8], hash: KeyHash, fetch: Fetch, seen: Seen) -> Option<Found> {
        match fetch {
            Fetch::Count => self.telemetry.get_miss(),
            Fetch::Touch(_) => self.telemetry.touch_miss(),
            Fetch::Inspect => self.telemetry.inspected(),
            Fetch::Quiet => {}
            Fetch::Meta(meta) => {
                if let Some(create) = meta.create
                    && let Some(found) = self.create_empty(key, hash, create, &meta, seen)
                {
                    return Some(found);
                }
                // Only a hit that is touched counts as a touch.
                self.telemetry.get_miss();
            }
        }
        None
    }

    /// Stores an empty item, which this client wins. `None` if there is no memory.
    #[cold]
    fn create_empty(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        create: Create,
        meta: &MetaFetch,
        seen: Seen,
    ) -> Option<Found> {
        let fields = Fields {
            key,
            client_flags: 0,
            deadline: create.deadline,
            cas: create.new_cas,
            marks: Marks::NONE.with_binary_key(create.binary_key),
            deadline_room: self.keeps_deadline_room(),
            value_bytes: 0,
        };
        let class = self.contents.single_class(&fields);
        self.put(fields, hash, &[], class, seen).cas()?;
        let (_, chunk) = self.contents.find(key, hash)?;
        let before = self.contents.items.head(chunk);
        self.contents
            .items
            .set_marks(chunk, before.marks().with_won(true));
        if meta.bump {
            self.contents.mark_fetched(chunk);
        }
        if meta.deadline.is_some() {
            self.telemetry.touch_hit(self.class_of(chunk));
        } else {
            self.count_get_hit(chunk);
        }
        Some(Found {
            chunk,
            before,
            deadline_before: None,
            won: true,
            created: true,
        })
    }
}

//! Eviction within a slab class: a hand goes round the class's chunks.

use crate::engine::Engine;
use crate::evict::policy::{self, Verdict};
use crate::item::{Head, State};
use crate::slab::{ChunkRef, PageId};
use crate::types::{Deadline, KeyHash};

/// Live items that the hand passes before it takes the least used of them: bounds the time of one eviction.
const CANDIDATES_MAX: usize = 48;
/// Chunks that the hand looks at for a unit of work: it goes on where it was, so that they can be asked for ahead.
pub(crate) const LOOKS_PER_UNIT: usize = 4;
/// How many chunks ahead.
const AHEAD: usize = 8;
/// Pages without chunks that the hand steps over at once.
const EMPTY_PAGES_MAX: usize = 4;

/// Where the eviction hand of a class stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hand {
    page: PageId,
    offset: u32,
}

/// What becomes of an item that is removed for its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reclaimer {
    /// The eviction hand or the taking of a page.
    Hand,
    /// The background sweep.
    Sweep,
}

impl Engine {
    /// Removes one item whose first chunk is in `class`: a dead one, or a live one if evictions are allowed. The hand
    /// looks at `looks` chunks at most; false if none was found.
    pub(crate) fn evict_one(&mut self, class: u8, looks: usize) -> bool {
        self.evict_on_probation(class, false)
            || self.evict_by_hand(class, looks)
            || self.evict_on_probation(class, true)
    }

    fn evict_by_hand(&mut self, class: u8, looks: usize) -> bool {
        let mut candidates = 0;
        let mut best: Option<(u8, ChunkRef)> = None;
        let mut later = None;
        for look in 0..looks {
            // The call has done enough: what was seen will do.
            if self.work_left() == 0 && (best.is_some() || later.is_some()) {
                break;
            }
            let Some(chunk) = self.advance_hand(class) else {
                break;
            };
            self.meters.work += u64::from(look.is_multiple_of(LOOKS_PER_UNIT));
            self.note_passed(class);
            let head = self.items.head(chunk);
            if head.state() == State::Tail && later.is_none() {
                later = self.evictable_owner(chunk);
            }
            if !head.is_linked() || self.is_pinned(chunk) {
                continue;
            }
            if self.death(&self.items.item(chunk)).is_some() {
                self.reclaim_item(chunk, Reclaimer::Hand);
                return true;
            }
            if !self.evictions_enabled {
                continue;
            }
            match self.judge(chunk, head) {
                Verdict::Skip => continue,
                Verdict::Evict => {
                    self.evict_at_hand(chunk);
                    return true;
                }
                Verdict::Keep(frequency) => {
                    if best.is_none_or(|(lowest, _)| frequency < lowest) {
                        best = Some((frequency, chunk));
                    }
                }
            }
            candidates += 1;
            if candidates == CANDIDATES_MAX {
                break;
            }
        }
        // Where no item begins, a later chunk stands for its chain.
        let chunk = best.map(|(_, chunk)| chunk).or(later);
        if let Some(chunk) = chunk {
            self.evict_at_hand(chunk);
        }
        chunk.is_some()
    }

    /// The item of a later chunk of a chain, if it may be evicted.
    fn evictable_owner(&self, later: ChunkRef) -> Option<ChunkRef> {
        let first = self.items.first_of(later);
        let fit = self.evictions_enabled && self.items.head(first).is_linked();
        (fit && !self.is_pinned(first)).then_some(first)
    }

    /// Evicts an item and notes its age: how long items of its class are kept, those on probation aside.
    fn evict_at_hand(&mut self, chunk: ChunkRef) {
        let age = self.clock.age(self.items.head(chunk).last_access());
        self.class_of(chunk).evicted_time = u64::from(age);
        let hash = self.items.hash_of(self.hasher, chunk);
        self.evict_remembered(chunk, hash);
    }

    fn judge(&mut self, chunk: ChunkRef, head: Head) -> Verdict {
        let verdict = policy::passed(head.frequency());
        if let Verdict::Keep(frequency) = verdict {
            self.items.set_head(chunk, head.with_frequency(frequency));
        }
        verdict
    }

    /// The next chunk of the class, round and round.
    fn advance_hand(&mut self, class: u8) -> Option<ChunkRef> {
        let slabs = &self.items.slabs;
        let hand = &mut self.hands[usize::from(class)];
        if hand.page == 0 || slabs.page(hand.page).class != class {
            *hand = Hand {
                page: slabs.first_page(class),
                offset: 0,
            };
        }
        for _ in 0..EMPTY_PAGES_MAX {
            if hand.page == 0 {
                return None;
            }
            // What is being emptied gives nothing.
            if !slabs.page(hand.page).draining
                && let Some(chunk) = slabs.chunk_in(hand.page, hand.offset)
            {
                let chunk_bytes = slabs.sizes.chunk_bytes(class);
                hand.offset += chunk_bytes as u32;
                slabs
                    .segment
                    .prefetch(slabs.address(chunk) + AHEAD * chunk_bytes);
                return Some(chunk);
            }
            *hand = Hand {
                page: slabs.page_after(hand.page),
                offset: 0,
            };
            let (first, chunk_bytes) = (
                slabs.page_address(hand.page),
                slabs.sizes.chunk_bytes(class),
            );
            for chunk in 0..AHEAD {
                slabs.segment.prefetch(first + chunk * chunk_bytes);
            }
        }
        None
    }

    /// The hand of the page's class stands on this page: the next one is another.
    pub(crate) fn step_over(&mut self, page: PageId) {
        let class = self.items.slabs.page(page).class;
        self.hands[usize::from(class)] = Hand { page, offset: 0 };
    }

    /// The page that the hand of a class comes to next; 0 if the class has none.
    pub(crate) fn page_before_hand(&self, class: u8) -> PageId {
        let page = self.hands[usize::from(class)].page;
        let slabs = &self.items.slabs;
        if page == 0 || slabs.page(page).class != class {
            slabs.first_page(class)
        } else {
            slabs.page_after(page)
        }
    }

    /// Removes a dead item and counts it.
    pub(crate) fn reclaim_item(&mut self, chunk: ChunkRef, by: Reclaimer) {
        let hash = self.items.hash_of(self.hasher, chunk);
        self.reclaim_hashed(chunk, hash, by);
    }

    /// As [`Self::reclaim_item`], of an item whose hash is known.
    pub(crate) fn reclaim_hashed(&mut self, chunk: ChunkRef, hash: KeyHash, by: Reclaimer) {
        self.meters.work += 1;
        let unfetched = u64::from(!self.items.head(chunk).is_fetched());
        let class = self.class_of(chunk);
        class.expired_unfetched += unfetched;
        match by {
            Reclaimer::Hand => class.reclaimed += 1,
            Reclaimer::Sweep => class.crawler_reclaimed += 1,
        }
        self.stats.expired_unfetched += unfetched;
        match by {
            Reclaimer::Hand => self.stats.reclaimed += 1,
            Reclaimer::Sweep => self.stats.crawler_reclaimed += 1,
        }
        let place = self.place_with(hash, chunk);
        self.note_unlinked(chunk);
        let many = matches!(by, Reclaimer::Sweep);
        self.index.remove(&mut self.items.slabs, place, many);
        self.dispose(chunk);
    }

    /// Removes a live item for its memory and counts it.
    pub(crate) fn evict_item(&mut self, chunk: ChunkRef) {
        self.meters.work += 1;
        self.note_eviction(chunk);
        let item = self.items.item(chunk);
        let mortal = u64::from(item.deadline() != Deadline::NEVER);
        let unfetched = u64::from(!item.head.is_fetched());
        self.meters.evicted_bytes += item.requested_bytes() as u64;
        self.meters.evictions += 1;
        let class = self.items.slabs.class_of(chunk);
        self.meters.evicted[usize::from(class)] += 1;
        let class = &mut self.classes[usize::from(class)];
        class.evicted_nonzero += mortal;
        class.evicted_unfetched += unfetched;
        self.stats.evicted_unfetched += unfetched;
        let place = self.place_of(chunk);
        self.unlink(place, chunk);
    }

    /// The chunk under the hand of a class.
    pub(crate) fn under_hand(&self, class: u8) -> Option<ChunkRef> {
        let hand = self.hands[usize::from(class)];
        let slabs = &self.items.slabs;
        let live = hand.page != 0 && slabs.page(hand.page).class == class;
        let (page, offset) = if live {
            (hand.page, hand.offset)
        } else {
            (slabs.first_page(class), 0)
        };
        if page == 0 {
            None
        } else {
            slabs.chunk_in(page, offset)
        }
    }
}

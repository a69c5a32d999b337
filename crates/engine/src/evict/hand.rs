//! Eviction within a slab class: a hand goes round the class's chunks.

use super::Victims;
use super::gone::{Gone, reclaim};
use super::probation::probation_share;
use crate::contents::{Cause, Contents};
use crate::effort::Effort;
use crate::item::policy::{self, Verdict};
use crate::item::{Head, State};
use crate::slab::{ChunkRef, PageId, Slabs};
use crate::telemetry::Telemetry;

/// Live items that the hand passes before it takes the least used of them. This bounds the time of one eviction.
const CANDIDATES_MAX: usize = 48;
/// Chunks that the hand looks at for a unit of work. They are cheap since the hand goes on where it was, so that they
/// can be prefetched.
pub(crate) const LOOKS_PER_UNIT: usize = 4;
/// Number of chunks that are prefetched ahead of the hand.
const AHEAD: usize = 8;
/// Pages without chunks that the hand steps over at once.
const EMPTY_PAGES_MAX: usize = 4;

/// The position of the eviction hand of a class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hand {
    page: PageId,
    offset: u32,
}

impl Victims {
    /// Removes one item whose first chunk is in `class`: a dead one, or a live one if evictions are allowed. The hand
    /// looks at `looks` chunks at most.
    pub(crate) fn evict_one(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        class: u8,
        looks: usize,
    ) -> Option<Gone> {
        let share = probation_share(contents, class);
        let gone = self.evict_on_probation(contents, telemetry, effort, class, share);
        if gone.is_some() {
            return gone;
        }
        let gone = self.evict_by_hand(contents, telemetry, effort, class, looks);
        if gone.is_some() {
            return gone;
        }
        self.evict_on_probation(contents, telemetry, effort, class, 0)
    }

    fn evict_by_hand(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        class: u8,
        looks: usize,
    ) -> Option<Gone> {
        let mut candidates = 0;
        let mut best: Option<(u8, ChunkRef)> = None;
        let mut later = None;
        for look in 0..looks {
            // The call has done enough: one of the items seen so far is evicted.
            if effort.left() == 0 && (best.is_some() || later.is_some()) {
                break;
            }
            let Some(chunk) = self.advance_hand(&contents.items.slabs, class) else {
                break;
            };
            effort.spend(u64::from(look.is_multiple_of(LOOKS_PER_UNIT)));
            self.note_passed(&contents.items.slabs, class);
            let head = contents.items.head(chunk);
            if head.state() == State::Tail && later.is_none() {
                later = self.evictable_owner(contents, chunk);
            }
            if !head.is_linked() || contents.is_pinned(chunk) {
                continue;
            }
            if contents.is_dead(chunk) {
                return Some(reclaim(contents, telemetry, effort, chunk));
            }
            if !self.are_allowed {
                continue;
            }
            match judge(contents, chunk, head) {
                Verdict::Skip => continue,
                Verdict::Evict => {
                    return Some(self.evict_at_hand(contents, telemetry, effort, chunk));
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
        // If no first chunk was found, the owner of a later chunk is evicted.
        let chunk = best.map(|(_, chunk)| chunk).or(later)?;
        Some(self.evict_at_hand(contents, telemetry, effort, chunk))
    }

    /// The item of a later chunk of a chain, if it may be evicted.
    fn evictable_owner(&self, contents: &Contents, later: ChunkRef) -> Option<ChunkRef> {
        let first = contents.items.first_of(later);
        let fit = self.are_allowed && contents.items.head(first).is_linked();
        (fit && !contents.is_pinned(first)).then_some(first)
    }

    fn evict_at_hand(
        &mut self,
        contents: &mut Contents,
        telemetry: &mut Telemetry,
        effort: &mut Effort,
        chunk: ChunkRef,
    ) -> Gone {
        let hash = contents.hash_of(chunk);
        self.evict_remembered(contents, telemetry, effort, (chunk, hash), Cause::Hand)
    }

    /// The next chunk of the class. Behind the last chunk comes the first.
    fn advance_hand(&mut self, slabs: &Slabs, class: u8) -> Option<ChunkRef> {
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
            // A page that is being emptied gives no chunks.
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

    /// Called when the hand of the page's class stands on this page: it goes on with another page.
    pub(crate) fn step_over(&mut self, slabs: &Slabs, page: PageId) {
        let class = slabs.page(page).class;
        self.hands[usize::from(class)] = Hand { page, offset: 0 };
    }

    /// The page that the hand of a class comes to next; 0 if the class has none.
    pub(crate) fn page_before_hand(&self, slabs: &Slabs, class: u8) -> PageId {
        let page = self.hands[usize::from(class)].page;
        if page == 0 || slabs.page(page).class != class {
            slabs.first_page(class)
        } else {
            slabs.page_after(page)
        }
    }

    /// The chunk under the hand of a class.
    pub(crate) fn under_hand(&self, slabs: &Slabs, class: u8) -> Option<ChunkRef> {
        let hand = self.hands[usize::from(class)];
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

/// Judges a live item that the hand passes, and takes one use away from it.
fn judge(contents: &mut Contents, chunk: ChunkRef, head: Head) -> Verdict {
    let verdict = policy::passed(head.frequency());
    if let Verdict::Keep(frequency) = verdict {
        contents
            .items
            .set_head(chunk, head.with_frequency(frequency));
    }
    verdict
}

//! The background sweep of a shard's items for dead ones: how far it has come, and when it rests.
//!
//! ```text
//!   walk over all memory --> rest: 10 rounds if many items were dead, else twice the last rest --> walk
//!   `lru_crawler crawl`      ends a rest, and a walk that is under way, and has one whole walk made
//! ```
//!
//! It is driven by the upkeep (`upkeep.rs`), in steps. If many items are dead, `reaper.rs` reclaims them before the
//! sweep comes to them.

use corecached_engine::{Seconds, SweepProgress};
use corecached_protocol::event::CrawlerStatus;

/// After a sweep, the next one begins this many rounds later; the number doubles each time a sweep reclaims next to
/// nothing.
const REST_ROUNDS_MIN: u32 = 10;
/// The longest rest, in rounds: a minute while there is traffic, as long as memcached's crawler waits, and ten minutes
/// without.
const REST_ROUNDS_MAX: u32 = 600;
/// A sweep that reclaims less than one item in this many was hardly worth it.
const WORTHWHILE_SHARE: usize = 100;

/// The background search for dead items. It walks all memory, then rests, the longer the less it has found.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Chunks looked at by the walk under way, and items that it has reclaimed.
    looked: usize,
    reclaimed: usize,
    /// Rounds of rest that are left.
    rest_left: u32,
    /// Rounds of the last rest.
    rest_rounds: u32,
    /// `lru_crawler crawl`: how often the walk still has to reach the end of the memory.
    crawl: Option<u8>,
    /// When the walk under way began, and when the one before it did.
    began: u32,
    began_before: u32,
    /// Result of the walk that has just ended.
    pub(super) ended: Option<CrawlerStatus>,
}

impl Sweep {
    /// Begins to look at all memory: a walk that is under way is ended first.
    pub(super) fn crawl(&mut self) {
        self.crawl = Some(if self.looked > 0 { 2 } else { 1 });
        self.rest_left = 0;
    }

    /// Whether a crawl that was asked for has not ended.
    pub(super) fn is_crawling(&self) -> bool {
        self.crawl.is_some()
    }

    /// Takes note of the end of a crawl that was asked for; returns true once for each.
    pub(super) fn take_crawl_end(&mut self) -> bool {
        let ended = self.crawl == Some(0);
        if ended {
            self.crawl = None;
        }
        ended
    }

    /// Spends a round of the rest; returns false if the sweep does not rest.
    pub(super) fn rest_a_round(&mut self) -> bool {
        let resting = self.rest_left > 0;
        self.rest_left = self.rest_left.saturating_sub(1);
        resting
    }

    /// Notes the result of a step; returns `true` if the walk goes on.
    pub(super) fn go_on(&mut self, step: SweepProgress, now: Seconds) -> bool {
        if self.looked == 0 {
            self.began_before = std::mem::replace(&mut self.began, now.0);
        }
        self.looked += step.looked;
        self.reclaimed += step.reclaimed;
        if !step.wrapped {
            return true;
        }
        self.ended = Some(CrawlerStatus {
            since_run: self.began.saturating_sub(self.began_before),
            elapsed: now.0.saturating_sub(self.began),
            examined: self.looked as u64,
            reclaimed: self.reclaimed as u64,
            ..CrawlerStatus::default()
        });
        if let Some(walks) = &mut self.crawl {
            *walks -= 1;
            if *walks > 0 {
                (self.looked, self.reclaimed) = (0, 0);
                return true;
            }
        }
        let worthwhile = self.reclaimed * WORTHWHILE_SHARE > self.looked;
        self.rest_rounds = match worthwhile {
            true => REST_ROUNDS_MIN,
            false => (self.rest_rounds * 2).clamp(REST_ROUNDS_MIN, REST_ROUNDS_MAX),
        };
        self.rest_left = self.rest_rounds;
        (self.looked, self.reclaimed) = (0, 0);
        false
    }
}

//! Memory between shards: pages go from where they are idle longest to where items are evicted soonest.
//!
//! ```text
//!   the shard that evicts                           the others
//!   turnover: it replaces all it holds in 3 s       oldest pages idle for 60 s, 40 s, 1 s
//!        |                                               |
//!        +-- asks for as many pages as it has evicted --> the one whose idle memory is most, seconds times bytes
//!                                                        gives pages that were idle for 2 x 3 s and more, in slices
//! ```
//!
//! This is what one list of all items would do, the oldest item of all going first, but for what it takes to be sure: a
//! shard gives only if its oldest pages are twice as old as the other's turnover, and if its own turnover, should it evict,
//! is twice as long. So shards that are used alike exchange nothing, and a shard whose items are read keeps them though it
//! evicts nothing. Free and dead memory is the oldest of all. Everything a shard says of itself is a number that others read
//! when they like; each shard empties its own pages.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corecached_engine::{EngineStats, IDLE_FOR_EVER, Release};

use crate::engines::reserve_bytes;
use crate::shared::{Counter, ShardHandle, Shared};

use super::ShardId;
use super::turnover::{NEVER, Turnover};

/// A page goes to another shard when it is so many times older than the turnover there.
const AGE_RATIO: u64 = 2;
/// Ages are whole seconds: a page that counts as this much older is surely older.
const AGE_SLACK_SECONDS: u64 = 1;
/// Pages that a shard asks for in one round at most.
const PAGES_ASKED_MAX: u64 = 32;
/// Pages that it asks for when it had no memory at all.
const PAGES_AFTER_REFUSAL: u64 = 16;
/// Pages that a shard takes on to give in one round at most.
const PAGES_OWED_MAX: u64 = 64;
/// Time of one slice of giving.
const SLICE: Duration = Duration::from_micros(250);
/// Rest between two slices: with the slice, 5% of the core.
const REST: Duration = Duration::from_millis(5);
/// Chunks looked at in one call of the engine.
const PAGE_CHUNKS: usize = 128;
/// For so many rounds after any shard was asked, a shard looks at its mail as often as with traffic.
const ATTENTIVE_ROUNDS: u32 = 20;

/// What a shard tells the others of its memory, and what they want of it.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Bytes charged to the budget.
    bytes: AtomicU64,
    /// Milliseconds in which it evicts as much as it holds; [`NEVER`] if it does not.
    turnover_ms: AtomicU64,
    /// Seconds for which its oldest pages were not used.
    idle_seconds: AtomicU32,
    /// Pages that others would like it to give, which were not used for `idle_min` seconds.
    pages_wanted: AtomicU64,
    idle_min: AtomicU32,
    /// Pages that it has given.
    pub(crate) pages_given: Counter,
}

impl Notice {
    pub(crate) fn new() -> Notice {
        Notice {
            bytes: AtomicU64::new(0),
            turnover_ms: AtomicU64::new(NEVER),
            idle_seconds: AtomicU32::new(0),
            pages_wanted: AtomicU64::new(0),
            idle_min: AtomicU32::new(0),
            pages_given: Counter::default(),
        }
    }

    /// Milliseconds in which the shard evicts as much as it holds, if it does.
    pub(crate) fn turnover_ms(&self) -> Option<u64> {
        let turnover = self.turnover_ms.load(Ordering::Relaxed);
        (turnover != NEVER).then_some(turnover)
    }

    /// Seconds for which its oldest pages were not used; very many if they are free.
    pub(crate) fn idle_seconds(&self) -> u32 {
        self.idle_seconds.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn ask(&self, pages: u64, idle_min: u32) {
        self.idle_min.store(idle_min, Ordering::Relaxed);
        self.pages_wanted.fetch_add(pages, Ordering::Relaxed);
    }
}

/// One shard's part in it: asks others, and gives to them.
#[derive(Debug)]
pub(super) struct Pages {
    turnover: Turnover,
    noted: Instant,
    /// Values refused for want of memory, when they were last counted.
    refusals: u64,
    /// Whether it has evicted since the last round but one.
    is_evicting: bool,
    /// Pages to give before the next round, idle for so long, and when the next slice is due.
    owed: u64,
    idle_min: u32,
    due: Instant,
    /// Requests that any shard has made to another, when they were last looked at, and rounds since there was a new one.
    requests: u64,
    unasked_rounds: u32,
}

impl Pages {
    pub(super) fn new() -> Pages {
        let now = Instant::now();
        Pages {
            turnover: Turnover::new(),
            noted: now,
            refusals: 0,
            is_evicting: false,
            owed: 0,
            idle_min: 0,
            due: now,
            requests: 0,
            unasked_rounds: ATTENTIVE_ROUNDS,
        }
    }

    /// Whether the next round should come soon although the shard's own connections are quiet.
    pub(super) fn is_busy(&self) -> bool {
        self.is_evicting || self.unasked_rounds < ATTENTIVE_ROUNDS
    }

    /// Time until the next slice of giving, if there is anything to give; never none at all.
    pub(super) fn wait(&self) -> Option<Duration> {
        let until_due = self.due.saturating_duration_since(Instant::now());
        (self.owed > 0).then_some(until_due.max(Duration::from_millis(1)))
    }

    /// A round: looks at what others want, tells them how things stand, and asks them if the shard evicts.
    pub(super) fn balance(&mut self, shared: &Shared, id: ShardId) {
        let mine = shared.shard(id);
        self.open_mail(shared, &mine.memory);
        let Some(mut core) = mine.core.try_borrow() else {
            return;
        };
        let stats = core.engine.stats();
        let idle_seconds = core.engine.idle_seconds(shared.clock.now());
        let page_bytes = core.engine.page_bytes() as u64;
        drop(core);
        let elapsed = std::mem::replace(&mut self.noted, Instant::now());
        let elapsed = self.noted.saturating_duration_since(elapsed);
        let evicted = self
            .turnover
            .note(elapsed, stats.evicted_bytes, stats.bytes);
        self.is_evicting = evicted > 0;
        self.tell(&mine.memory, stats.charged_bytes, idle_seconds);
        let fair_bytes = shared.budget.limit_bytes() / shared.shards.len() as u64;
        if let Some(want) = self.want(&stats, evicted.div_ceil(page_bytes), fair_bytes) {
            // What nobody has is there for the taking, but was not enough where nothing is left to be evicted.
            if want.turnover_ms == 0 || shared.budget.free_bytes() < want.pages * page_bytes {
                ask(shared, id, &want);
            }
        }
    }

    /// What was asked for and not given in time is forgotten: whoever still wants it asks again.
    fn open_mail(&mut self, shared: &Shared, notice: &Notice) {
        let wanted = notice.pages_wanted.swap(0, Ordering::Relaxed);
        self.owed = wanted.min(PAGES_OWED_MAX);
        self.idle_min = notice.idle_min.load(Ordering::Relaxed);
        // It may be this shard's turn next.
        let requests = shared.page_requests.load(Ordering::Relaxed);
        let is_asked = requests != std::mem::replace(&mut self.requests, requests);
        self.unasked_rounds = if is_asked {
            0
        } else {
            self.unasked_rounds.saturating_add(1)
        };
    }

    fn tell(&self, notice: &Notice, bytes: u64, idle_seconds: u32) {
        notice.bytes.store(bytes, Ordering::Relaxed);
        let turnover_ms = self.turnover.shortest_ms();
        notice.turnover_ms.store(turnover_ms, Ordering::Relaxed);
        notice.idle_seconds.store(idle_seconds, Ordering::Relaxed);
    }

    /// What the shard lacks, if it is short of memory: as much as it has just evicted.
    fn want(&mut self, stats: &EngineStats, evicted_pages: u64, fair_bytes: u64) -> Option<Want> {
        let refusals = stats.chunks_refused;
        if refusals != std::mem::replace(&mut self.refusals, refusals) {
            // Nothing is left to be evicted, or nothing may be (-M). Up to its fair part a shard then gets whatever is idle
            // at all; beyond it may be values that never fit, for which nothing should go.
            let is_poor = stats.charged_bytes < fair_bytes;
            return Some(Want {
                turnover_ms: 0,
                idle_min: if is_poor { 1 } else { IDLE_FOR_EVER },
                pages: PAGES_AFTER_REFUSAL,
            });
        }
        let turnover_ms = self.turnover.mean_ms();
        let idle_min = turnover_ms.saturating_mul(AGE_RATIO).div_ceil(1000) + AGE_SLACK_SECONDS;
        (evicted_pages > 0).then_some(Want {
            turnover_ms,
            idle_min: u32::try_from(idle_min).unwrap_or(IDLE_FOR_EVER),
            pages: evicted_pages.min(PAGES_ASKED_MAX),
        })
    }

    /// A slice of giving, if it is due: the engine is put down between its steps.
    pub(super) fn give(&mut self, shared: &Shared, id: ShardId) {
        let begun = Instant::now();
        if self.owed == 0 || begun < self.due {
            return;
        }
        while self.owed > 0 && begun.elapsed() < SLICE {
            match self.give_step(shared, shared.shard(id)) {
                Some(Release::Released) => {
                    self.owed -= 1;
                    shared.shard(id).memory.pages_given.add(1);
                }
                Some(Release::Working) => {}
                Some(Release::Nothing) => self.owed = 0,
                None => break,
            }
        }
        self.due = Instant::now() + REST;
    }

    /// `None` if the engine is lent.
    fn give_step(&self, shared: &Shared, mine: &ShardHandle) -> Option<Release> {
        let mut core = mine.core.try_borrow()?;
        if core.engine.stats().charged_bytes <= reserve_bytes(&shared.config) {
            return Some(Release::Nothing);
        }
        let now = shared.clock.now();
        Some(
            core.engine
                .release_idle_page(self.idle_min, PAGE_CHUNKS, now),
        )
    }
}

/// What a shard that is short of memory asks for.
#[derive(Debug)]
struct Want {
    /// How soon its items go.
    turnover_ms: u64,
    /// For how long pages have to be idle to go instead.
    idle_min: u32,
    pages: u64,
}

/// Asks the shard that has most idle memory, if any has memory that is much older than what goes here.
fn ask(shared: &Shared, id: ShardId, want: &Want) {
    let long_ms = want.turnover_ms.saturating_mul(AGE_RATIO);
    let reserve_bytes = reserve_bytes(&shared.config);
    let others = shared.shards.iter().enumerate();
    let idlest = others
        .filter(|&(shard, _)| shard != usize::from(id.0))
        .map(|(_, shard)| &shard.memory)
        .filter(|other| other.bytes() > reserve_bytes)
        .filter(|other| other.turnover_ms.load(Ordering::Relaxed) > long_ms)
        .filter(|other| other.idle_seconds() >= want.idle_min)
        .max_by_key(|other| u128::from(other.idle_seconds()) * u128::from(other.bytes()));
    if let Some(other) = idlest {
        shared.page_requests.fetch_add(1, Ordering::Relaxed);
        other.ask(want.pages, want.idle_min);
    }
}

//! Memory between shards: pages go from where they are idle longest to where items are evicted soonest.
//!
//! ```text
//!   the shard that evicts                            what the others say of themselves
//!   turnover: it replaces all it holds in 3 s        oldest pages idle for 60 s, 40 s, 1 s
//!        |                                                 |
//!        +-- borrows the one whose idle memory is most, seconds times bytes, and empties as many pages there as it has
//!            evicted itself, if they were idle for 1.5 x 3 s and more
//! ```
//!
//! This is what one list of all items would do, the oldest item of all going first, but for what it takes to be sure: a
//! shard loses pages only if its oldest ones are older than the other's turnover by half, and if its own turnover, should it
//! evict, is longer by half, too. So shards that are used alike exchange nothing, and a shard whose items are read keeps
//! them though it evicts nothing. Free and dead memory is the oldest of all. What is stored and never asked for, as by a
//! scan, earns nothing by staying: such a shard gets the pages of one that is asked for if they are up to 16 times older.
//!
//! Everything a shard says of itself is a number that others read when they like. The shard that lacks memory does the work:
//! in slices of its own time it has the other's engine on loan, as for a request, and pages move as fast as it evicts.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corecached_engine::{Engine, EngineStats, IDLE_FOR_EVER, Release};

use crate::engines::reserve_bytes;
use crate::execute::Access;
use crate::shared::{ShardHandle, Shared};

use super::ShardId;
use super::maintenance::{REST, SLICE};
use super::turnover::{Held, NEVER, Turnover};

/// A page goes to another shard when it is so many percent of the turnover there.
const AGE_PERCENT: u64 = 150;
/// Where items are not asked for, their turnover counts as so many times longer at most,
const WORTHLESS: f32 = 16.0;
/// and it is this much longer where an item has less than one hit in so many turnovers.
const HITS_MIN: f32 = 1.0 / 64.0;
/// Pages that it asks for when it had no memory at all.
const PAGES_AFTER_REFUSAL: u64 = 16;
/// Chunks looked at in one call of the engine.
const PAGE_CHUNKS: usize = 128;
/// Such calls for a value that cannot do without which may find nothing.
const LEND_VAIN_MAX: u32 = 3;
/// For so many rounds after any shard was short of memory, every shard says how it stands as often as with traffic.
const ATTENTIVE_ROUNDS: u32 = 20;
/// Hits are counted over some so much time.
const HITS_WINDOW: Duration = Duration::from_millis(500);

/// Since when free pages were not used.
const FREE: u32 = 0;

/// What a shard tells the others of its memory.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Bytes charged to the budget.
    bytes: AtomicU64,
    /// Milliseconds in which it evicts as much as it holds; [`NEVER`] if it does not.
    turnover_ms: AtomicU64,
    /// Its oldest pages were last used before this second; [`FREE`] if they hold nothing.
    idle_since: AtomicU32,
    /// Hits of an item in a second, an `f32`.
    hits: AtomicU32,
    /// Pages that others have taken from it.
    pub(crate) pages_given: AtomicU64,
}

impl Notice {
    pub(crate) fn new() -> Notice {
        Notice {
            bytes: AtomicU64::new(0),
            turnover_ms: AtomicU64::new(NEVER),
            idle_since: AtomicU32::new(u32::MAX),
            hits: AtomicU32::new(0),
            pages_given: AtomicU64::new(0),
        }
    }

    /// Milliseconds in which the shard evicts as much as it holds, if it does.
    pub(crate) fn turnover_ms(&self) -> Option<u64> {
        let turnover = self.turnover_ms.load(Ordering::Relaxed);
        (turnover != NEVER).then_some(turnover)
    }

    /// For how long its oldest pages were certainly not used, `now_ms` being the time; very long if they are free.
    pub(crate) fn idle_ms(&self, now_ms: u64) -> u64 {
        match self.idle_since.load(Ordering::Relaxed) {
            FREE => u64::MAX,
            since => now_ms.saturating_sub(1000 * u64::from(since)),
        }
    }

    /// Its pages turn out not to be as old as it has said.
    fn is_young(&self, shared: &Shared) {
        let now = shared.clock.now().0;
        self.idle_since.store(now, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many times a page here has to be older than `want` says.
    fn worth(&self, want: &Want) -> f32 {
        let hits = f32::from_bits(self.hits.load(Ordering::Relaxed));
        let in_turnover = hits * want.turnover_ms as f32 / 1000.0;
        (in_turnover.min(1.0) / want.hits.max(HITS_MIN)).clamp(1.0, WORTHLESS)
    }
}

/// One shard's part in it.
#[derive(Debug)]
pub(super) struct Pages {
    turnover: Turnover,
    noted: Instant,
    /// Hits so far, and those of an item in a second.
    hits: u64,
    hit_rate: f32,
    /// Values refused for want of memory, when they were last counted.
    refusals: u64,
    /// Whether it has evicted since the last round but one.
    is_evicting: bool,
    /// What it takes from others before the next round, and when the next slice is due.
    want: Want,
    due: Instant,
    /// Times that any shard was short of memory, when they were last looked at, and rounds since there was a new one.
    requests: u64,
    calm_rounds: u32,
}

/// What a shard that is short of memory takes from others.
#[derive(Clone, Copy, Debug, Default)]
struct Want {
    /// How soon its items go, and how many hits an item has until then.
    turnover_ms: u64,
    hits: f32,
    /// For how long pages have to be idle to go instead.
    idle_ms: u64,
    pages: u64,
}

impl Want {
    /// Whether there was not even anything to evict.
    fn is_refused(&self) -> bool {
        self.turnover_ms == 0
    }
}

impl Pages {
    pub(super) fn new() -> Pages {
        let now = Instant::now();
        Pages {
            turnover: Turnover::new(),
            noted: now,
            hits: 0,
            hit_rate: 0.0,
            refusals: 0,
            is_evicting: false,
            want: Want::default(),
            due: now,
            requests: 0,
            calm_rounds: ATTENTIVE_ROUNDS,
        }
    }

    /// Whether the next round should come soon although the shard's own connections are quiet.
    pub(super) fn is_busy(&self) -> bool {
        self.is_evicting || self.calm_rounds < ATTENTIVE_ROUNDS
    }

    /// Time until the next slice of taking, if there is anything to take; never none at all.
    pub(super) fn wait(&self) -> Option<Duration> {
        let until_due = self.due.saturating_duration_since(Instant::now());
        (self.want.pages > 0).then_some(until_due.max(Duration::from_millis(1)))
    }

    /// A round: tells the others how things stand, and says what is to be taken from them.
    pub(super) fn balance(&mut self, shared: &Shared, id: ShardId) {
        let mine = shared.shard(id);
        let Some(mut core) = mine.core.try_borrow() else {
            return;
        };
        let now = shared.clock.now();
        let stats = core.engine.stats();
        let idle = core.engine.idle_seconds(now);
        let page_bytes = core.engine.page_bytes() as u64;
        drop(core);
        let elapsed = std::mem::replace(&mut self.noted, Instant::now());
        let elapsed = self.noted.saturating_duration_since(elapsed);
        let hits = self.count_hits(elapsed, &stats);
        let evicted = self.turnover.note(
            elapsed,
            &Held {
                evicted_bytes: stats.evicted_bytes,
                bytes: stats.bytes,
                items: stats.curr_items,
                hits,
            },
        );
        self.is_evicting = evicted > 0;
        // What was last used in a second has been idle since the end of that second.
        let idle_since = match idle {
            IDLE_FOR_EVER => FREE,
            idle => now.0.saturating_sub(idle) + 1,
        };
        self.tell(&mine.memory, stats.charged_bytes, idle_since);
        let fair_bytes = shared.budget.limit_bytes() / shared.shards.len() as u64;
        self.want = self.lack(&stats, evicted.div_ceil(page_bytes), fair_bytes);
        if shared.tuning.slab_automove.get() == 0 && !self.want.is_refused() {
            // Only what holds nothing goes by itself.
            self.want.idle_ms = u64::MAX;
        }
        if self.want.pages > 0 {
            shared.page_requests.fetch_add(1, Ordering::Relaxed);
        }
        // What nobody has is there for the taking, but was not enough where nothing is left to be evicted.
        if !self.want.is_refused() && shared.budget.free_bytes() >= self.want.pages * page_bytes {
            self.want.pages = 0;
        }
        // Every shard may be the next to be asked.
        let requests = shared.page_requests.load(Ordering::Relaxed);
        self.calm_rounds = match std::mem::replace(&mut self.requests, requests) == requests {
            true => self.calm_rounds.saturating_add(1),
            false => 0,
        };
    }

    /// Hits since the last round.
    fn count_hits(&mut self, elapsed: Duration, stats: &EngineStats) -> u64 {
        let before = std::mem::replace(&mut self.hits, stats.get_hits);
        let hits = stats.get_hits.checked_sub(before).unwrap_or(stats.get_hits);
        let seconds = elapsed.as_secs_f32().max(0.001);
        let rate = hits as f32 / seconds / stats.curr_items.max(1) as f32;
        let part = (seconds / HITS_WINDOW.as_secs_f32()).min(1.0);
        self.hit_rate += (rate - self.hit_rate) * part;
        hits
    }

    fn tell(&self, notice: &Notice, bytes: u64, idle_since: u32) {
        notice.bytes.store(bytes, Ordering::Relaxed);
        let turnover_ms = self.turnover.shortest_ms();
        notice.turnover_ms.store(turnover_ms, Ordering::Relaxed);
        notice.idle_since.store(idle_since, Ordering::Relaxed);
        let hits = self.hit_rate.to_bits();
        notice.hits.store(hits, Ordering::Relaxed);
    }

    /// What the shard lacks, if it is short of memory: as much as it has just evicted.
    fn lack(&mut self, stats: &EngineStats, evicted_pages: u64, fair_bytes: u64) -> Want {
        let refusals = stats.chunks_refused;
        if refusals != std::mem::replace(&mut self.refusals, refusals) {
            // Nothing is left to be evicted, or nothing may be (-M). Up to its fair part a shard then gets whatever is idle
            // at all; beyond it may be values that never fit, for which nothing should go.
            let is_poor = stats.charged_bytes < fair_bytes;
            return Want {
                turnover_ms: 0,
                hits: 0.0,
                idle_ms: if is_poor { 1 } else { u64::MAX },
                pages: PAGES_AFTER_REFUSAL,
            };
        }
        let turnover_ms = self.turnover.mean_ms();
        Want {
            turnover_ms,
            hits: self.turnover.hits(),
            idle_ms: turnover_ms.saturating_mul(AGE_PERCENT) / 100,
            pages: evicted_pages,
        }
    }

    /// A slice of taking, if it is due: the other's engine is given back between its steps.
    pub(super) fn take(&mut self, shared: &Shared, id: ShardId) {
        let begun = Instant::now();
        if self.want.pages == 0 || begun < self.due {
            return;
        }
        while self.want.pages > 0 && begun.elapsed() < SLICE {
            let Some((donor, idle_ms)) = donor(shared, id, &self.want) else {
                self.want.pages = 0;
                break;
            };
            match give_step(shared, donor, idle_ms) {
                Some(Release::Released) => self.want.pages -= 1,
                Some(Release::Working) => {}
                Some(Release::Nothing) => donor.memory.is_young(shared),
                None => break,
            }
        }
        self.due = Instant::now() + REST;
    }
}

/// The shard that has most idle memory, and how old its pages have to be, if it has memory that is so much older than what
/// goes in the shard `id`.
fn donor<'a>(shared: &'a Shared, id: ShardId, want: &Want) -> Option<(&'a ShardHandle, u64)> {
    let now_ms = shared.clock.now_ms();
    let reserve_bytes = reserve_bytes(&shared.config);
    let others = shared.shards.iter().enumerate();
    others
        .filter(|&(shard, _)| shard != usize::from(id.0))
        .map(|(_, shard)| shard)
        .filter(|other| other.memory.bytes() > reserve_bytes)
        .map(|other| {
            let worth = other.memory.worth(want);
            let longer = |ms: u64| (ms as f64 * f64::from(worth)) as u64;
            let turnover_ms = other.memory.turnover_ms.load(Ordering::Relaxed);
            let is_slow = turnover_ms / AGE_PERCENT * 100 > longer(want.turnover_ms);
            (other, longer(want.idle_ms), is_slow)
        })
        .filter(|&(other, idle_ms, is_slow)| is_slow && other.memory.idle_ms(now_ms) >= idle_ms)
        .map(|(other, idle_ms, _)| (other, idle_ms))
        .max_by_key(|(other, _)| {
            u128::from(other.memory.idle_ms(now_ms)) * u128::from(other.memory.bytes())
        })
}

/// Works on emptying a page of a shard that was idle for so long; `None` if its engine is not to be had now.
fn give_step(shared: &Shared, donor: &ShardHandle, idle_ms: u64) -> Option<Release> {
    let mut core = donor.core.try_borrow()?;
    Some(give(shared, donor, &mut core.engine, idle_ms))
}

fn give(shared: &Shared, donor: &ShardHandle, engine: &mut Engine, idle_ms: u64) -> Release {
    let now = shared.clock.now();
    // Items know the second in which they were used: it was over so long ago at least.
    let since_second = shared
        .clock
        .now_ms()
        .saturating_sub(1000 * u64::from(now.0));
    let idle_min = match idle_ms {
        0 => 0,
        u64::MAX => IDLE_FOR_EVER,
        ms => {
            1 + u32::try_from(ms.saturating_sub(since_second).div_ceil(1000))
                .unwrap_or(IDLE_FOR_EVER - 1)
        }
    };
    let release = match engine.stats().charged_bytes > reserve_bytes(&shared.config) {
        true => engine.release_idle_page(idle_min, PAGE_CHUNKS, now),
        false => Release::Nothing,
    };
    let bytes = engine.stats().charged_bytes;
    donor.memory.bytes.store(bytes, Ordering::Relaxed);
    if release == Release::Released {
        donor.memory.pages_given.fetch_add(1, Ordering::Relaxed);
    }
    release
}

/// Empties pages of other shards than `borrower`, however young, for a value that lacks `bytes` and finds no memory there
/// although everything else has been evicted: as many as it takes, or as can be emptied in a slice of time. False if no shard
/// has a page that could go.
pub(crate) fn lend(
    access: &mut Access<'_>,
    shared: &Shared,
    borrower: ShardId,
    bytes: usize,
) -> bool {
    let begun = Instant::now();
    let mut pages = bytes.div_ceil(access.engine.page_bytes()).max(1);
    let mut may_later = false;
    for id in by_idle_bytes(shared, borrower) {
        let donor = shared.shard(id);
        let mut vain = 0;
        while vain <= LEND_VAIN_MAX {
            let release = match id == access.shard {
                true => Some(give(shared, donor, access.engine, 0)),
                false => give_step(shared, donor, 0),
            };
            match release {
                Some(Release::Released) => pages -= 1,
                Some(Release::Working) => {}
                // Who meets a half-received value looks for another page.
                Some(Release::Nothing) => {
                    vain += 1;
                    continue;
                }
                // Whoever is busy now may have something the next time.
                None => {
                    may_later = true;
                    break;
                }
            }
            if pages == 0 || begun.elapsed() >= SLICE {
                return true;
            }
            may_later = true;
        }
    }
    may_later
}

/// The other shards, the one with most idle memory first.
fn by_idle_bytes(shared: &Shared, borrower: ShardId) -> Vec<ShardId> {
    let now_ms = shared.clock.now_ms();
    let mut ids: Vec<ShardId> = (0..shared.shards.len() as u16)
        .map(ShardId)
        .filter(|&id| id != borrower)
        .collect();
    ids.sort_by_cached_key(|&id| {
        let notice = &shared.shard(id).memory;
        Reverse(u128::from(notice.idle_ms(now_ms)) * u128::from(notice.bytes()))
    });
    ids
}

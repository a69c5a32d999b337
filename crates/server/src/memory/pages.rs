//! Memory between shards: a page goes to the shard where its next hit comes clearly sooner.
//!
//! ```text
//!   the shard that lacks memory                       the others
//!   an item is hit each 2 s, and goes after 3 s       an item is hit each 4 s, the oldest pages are idle for 60 s, 40 s, 1 s
//!   so of one page more: a hit of an item in 5 s      so of the oldest page: a hit of an item in 64 s, 44 s, 5 s
//!        |                                                 |
//!        +-- borrows the one with most idle memory, and empties pages there if the next hit is later by half than in
//!            its own: all that it lacks if it is never, and the fewer the sooner it is
//! ```
//!
//! **A page that was not used for `age`, in a shard whose items are hit once in `interval`, is hit next in `interval +
//! age`.** That is the mean of a Poisson process whose rate was exponentially distributed about one in `interval`, and
//! which has shown nothing for `age`. For the shard that lacks memory, the age is the one at which its items go, its
//! turnover; for the other shards it is the age of their oldest pages, or their turnover if that is shorter. An item
//! that has not been asked for yet may still be: no interval counts as more than 16 ages.
//!
//! So shards that are used alike exchange nothing. A shard whose items are read keeps them, though it evicts nothing.
//! Items that are stored and never asked for, as by a scan, take nothing from items that are asked for; and items that
//! nobody asks for any more go at once. Free and dead memory is the oldest of all.
//!
//! A shard publishes its state as numbers (`notice.rs`). The shard that lacks memory does the work: in slices of its
//! own time it borrows the engine of the other shard, as for a request, and pages move as fast as it needs them.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use corecached_engine::{Engine, IDLE_FOR_EVER, Release, Vitals};

use crate::cell::access::Access;
use crate::ground::config::Config;

use super::Neighbours;
use super::notice::Notice;
use super::turnover::Laps;
use crate::cell::ShardId;

/// Time of one slice of work on memory, after which other tasks have their turn. With [`REST`] and the windows of the
/// network loop, that is an eighth of the core.
pub(crate) const SLICE: Duration = Duration::from_micros(250);
/// Time between two slices.
pub(crate) const REST: Duration = Duration::from_millis(1);
/// One in this many bytes of a shard's fair part of the memory limit is its own, which no other shard can take.
const RESERVED_SHARE: u64 = 8;

/// A page is taken only where its next hit comes this many times later: a smaller difference may be chance.
const LATER: f64 = 1.5;
/// An item is expected to be hit once in at most this many times its age.
const UNSEEN: f64 = 16.0;
/// Pages that a shard asks for when it had no memory at all.
const PAGES_AFTER_REFUSAL: u64 = 16;
/// Chunks looked at in one call of the engine.
const PAGE_CHUNKS: usize = 128;
/// Most calls in a row that find nothing, when pages are emptied for a value that cannot do without.
const LEND_VAIN_MAX: u32 = 3;
/// For this many rounds after any shard was short of memory, every shard publishes its numbers as often as with
/// traffic.
const ATTENTIVE_ROUNDS: u32 = 20;

/// Result of asking other shards for pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loan {
    /// Pages were given, or one is being emptied.
    Given,
    /// All shards that might have a page are at work.
    Busy,
    /// No shard has a page that could go.
    Nothing,
}

/// One shard's part in the exchange of memory.
#[derive(Debug)]
pub(crate) struct Pages {
    laps: Laps,
    noted: Instant,
    /// Values at the last look: bytes held, bytes evicted, and chunks refused for want of memory.
    held_bytes: u64,
    evicted_bytes: u64,
    refusals: u64,
    /// Total of the bytes that the shard has taken from free memory.
    drawn_bytes: u64,
    /// Whether the shard has needed memory since the last round but one.
    is_needy: bool,
    /// The pages that the shard takes from others before the next round, and when the next slice is due.
    want: Want,
    due: Instant,
    /// The number of requests for memory of all shards at the last look, and the rounds since it last grew.
    requests: u64,
    calm_rounds: u32,
}

/// The need of a shard that is short of memory.
#[derive(Clone, Copy, Debug, Default)]
struct Want {
    pages: f64,
    /// Pages are taken only from a shard whose next hit is at least this many milliseconds away. Infinite: only pages
    /// that hold nothing may be taken. Zero: there was not even anything to evict.
    next_hit_ms: f64,
}

impl Want {
    /// Whether there was not even anything to evict.
    fn is_refused(&self) -> bool {
        self.next_hit_ms == 0.0
    }

    /// Milliseconds for which a page must have been idle in a shard where an item is hit once in `hit_interval_ms`.
    fn idle_ms(&self, hit_interval_ms: f64) -> u64 {
        let unseen = self.next_hit_ms / (1.0 + UNSEEN);
        // Infinity becomes the age of free pages.
        unseen.max(self.next_hit_ms - hit_interval_ms).max(1.0) as u64
    }

    /// The part of a lacking page that one page counts for, if its next hit is in `next_hit_ms`. It is 1 if the page is
    /// never hit; it grows without bound as the next hit comes down to the smallest that is allowed, so that no further
    /// page is lacked.
    fn price(&self, next_hit_ms: f64) -> f64 {
        match self.next_hit_ms.is_finite() {
            true => next_hit_ms / (next_hit_ms - self.next_hit_ms),
            false => 1.0,
        }
    }
}

/// Bytes of the limit at the start that no other shard can take from a shard; see [`Budget::reserve_of`].
pub(crate) fn reserve_bytes(config: &Config) -> u64 {
    config.memory_limit_bytes / config.threads as u64 / RESERVED_SHARE
}

/// Milliseconds until an item of this age is hit next.
fn next_hit_ms(hit_interval_ms: f64, age_ms: u64) -> f64 {
    let age_ms = age_ms as f64;
    age_ms + hit_interval_ms.min(UNSEEN * age_ms)
}

/// The shard that gives a page.
struct Donor {
    shard: ShardId,
    /// Milliseconds for which the page must have been idle.
    idle_ms: u64,
    /// See [`Want::price`].
    price: f64,
}

impl Pages {
    pub(crate) fn new(shards: usize) -> Pages {
        let now = Instant::now();
        Pages {
            laps: Laps::new(shards),
            noted: now,
            held_bytes: 0,
            evicted_bytes: 0,
            refusals: 0,
            drawn_bytes: 0,
            is_needy: false,
            want: Want::default(),
            due: now,
            requests: 0,
            calm_rounds: ATTENTIVE_ROUNDS,
        }
    }

    /// Whether the next round should come soon although the shard's own connections are quiet.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_needy || self.calm_rounds < ATTENTIVE_ROUNDS
    }

    /// Time until the next slice of taking, if there is anything to take; at least a millisecond.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let until_due = self.due.saturating_duration_since(Instant::now());
        (self.want.pages > 0.0).then_some(until_due.max(Duration::from_millis(1)))
    }

    /// A round: publishes the shard's numbers, and decides how much is to be taken from other shards.
    pub(crate) fn balance(&mut self, near: &Neighbours<'_>, id: ShardId) {
        let Some(mut core) = near.cells.of(id).try_borrow() else {
            return;
        };
        let now = near.ground.clock.now();
        let vitals = core.engine.vitals();
        let idle = core.engine.idle_seconds(now);
        let page_bytes = core.engine.page_bytes() as f64;
        drop(core);
        let needed_bytes = self.needed_bytes(&vitals);
        self.is_needy = needed_bytes > 0;
        near.memory
            .notice(id)
            .tell(&vitals, self.drawn_bytes, idle, now);
        self.note(near);
        let turnover_ms = self
            .laps
            .turnover_ms(usize::from(id.0), vitals.charged_bytes);
        near.memory.notice(id).tell_turnover(turnover_ms);
        self.want = Want {
            pages: (needed_bytes as f64 / page_bytes).ceil(),
            next_hit_ms: self.next_hit_elsewhere_ms(near, id, &vitals, turnover_ms),
        };
        self.heed_refusals(near, &vitals);
        if self.want.pages > 0.0 {
            near.memory.request();
        }
        // Free memory belongs to no shard and can simply be used; but it was not enough where nothing is left to be
        // evicted.
        let free_bytes = near.memory.budget.free_bytes() as f64;
        if !self.want.is_refused() && free_bytes >= self.want.pages * page_bytes {
            self.want.pages = 0.0;
        }
        // Every shard may be the next to be asked, so every shard notes whether requests go on.
        let requests = near.memory.requests();
        self.calm_rounds = match std::mem::replace(&mut self.requests, requests) == requests {
            true => self.calm_rounds.saturating_add(1),
            false => 0,
        };
    }

    /// Bytes of memory that would have sufficed for the last round: those evicted, and those drawn from free memory.
    fn needed_bytes(&mut self, vitals: &Vitals) -> u64 {
        let before = std::mem::replace(&mut self.held_bytes, vitals.charged_bytes);
        let drawn = vitals.charged_bytes.saturating_sub(before);
        self.drawn_bytes += drawn;
        let before = std::mem::replace(&mut self.evicted_bytes, vitals.evicted_bytes);
        drawn + vitals.evicted_bytes - before
    }

    /// Reads the numbers of all shards.
    fn note(&mut self, near: &Neighbours<'_>) {
        let before = std::mem::replace(&mut self.noted, Instant::now());
        let elapsed = self.noted.saturating_duration_since(before);
        let done = near.memory.notices.iter().map(Notice::done);
        self.laps
            .note(elapsed, done, near.memory.budget.limit_bytes());
    }

    /// Milliseconds until the next hit in another shard from which on a page is worth more here.
    fn next_hit_elsewhere_ms(
        &self,
        near: &Neighbours<'_>,
        id: ShardId,
        vitals: &Vitals,
        turnover_ms: u64,
    ) -> f64 {
        if near.ground.tuning.slab_automove.get() == 0 {
            return f64::INFINITY;
        }
        let shard = usize::from(id.0);
        let interval_ms = self.laps.hit_interval_ms(shard, vitals.items);
        LATER * next_hit_ms(interval_ms, turnover_ms)
    }

    /// If nothing is left to be evicted, or nothing may be (`-M`), a shard gets every page that is idle at all, up to
    /// its fair part. Beyond its fair part the values may be such that never fit, for which nothing should go.
    fn heed_refusals(&mut self, near: &Neighbours<'_>, vitals: &Vitals) {
        let refusals = vitals.chunks_refused;
        if refusals != std::mem::replace(&mut self.refusals, refusals) {
            let fair_bytes = near.memory.budget.fair_bytes();
            let is_poor = vitals.charged_bytes < fair_bytes;
            self.want = Want {
                pages: PAGES_AFTER_REFUSAL as f64,
                next_hit_ms: if is_poor { 0.0 } else { f64::INFINITY },
            };
        }
    }

    /// Works for a slice on taking pages, if one is due. The other shard's engine is given back between the steps.
    pub(crate) fn take(&mut self, near: &Neighbours<'_>, id: ShardId) {
        let begun = Instant::now();
        if self.want.pages <= 0.0 || begun < self.due {
            return;
        }
        while self.want.pages > 0.0 && begun.elapsed() < SLICE {
            let Some(donor) = self.donor(near, id) else {
                self.want.pages = 0.0;
                break;
            };
            match give_step(near, donor.shard, donor.idle_ms) {
                Some(Release::Released) => self.want.pages -= donor.price,
                Some(Release::Working) => {}
                Some(Release::Nothing) => {
                    let notice = near.memory.notice(donor.shard);
                    notice.note_young(near.ground.clock.now());
                }
                None => break,
            }
        }
        self.due = Instant::now() + REST;
    }

    /// The shard with most idle memory among those whose oldest pages are old enough.
    fn donor(&self, near: &Neighbours<'_>, id: ShardId) -> Option<Donor> {
        let now_ms = near.ground.clock.now_ms();
        let reserve_bytes = reserve_of(near);
        let others = near.memory.notices.iter().enumerate();
        others
            .filter(|&(shard, _)| shard != usize::from(id.0))
            .filter(|(_, notice)| notice.bytes() > reserve_bytes)
            .filter(|&(shard, _)| self.want.is_refused() || self.laps.has_heard_of(shard))
            .filter_map(|(shard, notice)| {
                let interval_ms = self.laps.hit_interval_ms(shard, notice.items());
                let turnover_ms = self.laps.turnover_ms(shard, notice.bytes());
                let age_ms = notice.idle_ms(now_ms).min(turnover_ms);
                let idle_ms = self.want.idle_ms(interval_ms);
                (age_ms >= idle_ms).then(|| Donor {
                    shard: ShardId(shard as u16),
                    idle_ms,
                    price: self.want.price(next_hit_ms(interval_ms, age_ms)),
                })
            })
            .max_by_key(|donor| idle_byte_ms(near.memory.notice(donor.shard), now_ms))
    }
}

/// Bytes of a shard's idle memory, times the milliseconds for which it was idle.
fn idle_byte_ms(notice: &Notice, now_ms: u64) -> u128 {
    u128::from(notice.idle_ms(now_ms)) * u128::from(notice.bytes())
}

/// Bytes that no other shard may take from a shard.
fn reserve_of(near: &Neighbours<'_>) -> u64 {
    let budget = &near.memory.budget;
    budget.reserve_of(reserve_bytes(&near.ground.config))
}

/// Works on emptying a page that was idle for `idle_ms` in another shard. Returns `None` if its engine cannot be
/// borrowed now.
fn give_step(near: &Neighbours<'_>, donor: ShardId, idle_ms: u64) -> Option<Release> {
    let mut core = near.cells.of(donor).try_borrow()?;
    Some(give(near, donor, &mut core.engine, idle_ms))
}

fn give(near: &Neighbours<'_>, donor: ShardId, engine: &mut Engine, idle_ms: u64) -> Release {
    let now = near.ground.clock.now();
    // Items know only the second in which they were used, so their idle time counts from its end. Of the current
    // second, this much has passed.
    let since_second = near
        .ground
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
    let release = match engine.vitals().charged_bytes > reserve_of(near) {
        true => engine.release_idle_page(idle_min, PAGE_CHUNKS, now),
        false => Release::Nothing,
    };
    let bytes = engine.vitals().charged_bytes;
    near.memory.notice(donor).tell_bytes(bytes);
    if release == Release::Released {
        let counters = near.telemetry.of(donor.0);
        counters.pages_given.add_from_anywhere(1);
    }
    release
}

/// Empties pages of shards other than `borrower`, however young, for a value that lacks `bytes` and finds no memory
/// there although everything else has been evicted. It empties as many as needed, or as can be emptied in a slice of
/// time.
pub(crate) fn lend(
    access: &mut Access<'_>,
    near: &Neighbours<'_>,
    borrower: ShardId,
    bytes: usize,
) -> Loan {
    let begun = Instant::now();
    let mut pages = bytes.div_ceil(access.engine.page_bytes()).max(1);
    let mut loan = Loan::Nothing;
    for id in by_idle_bytes(near, borrower) {
        let mut vain = 0;
        while vain <= LEND_VAIN_MAX {
            let release = match id == access.shard {
                true => Some(give(near, id, access.engine, 0)),
                false => give_step(near, id, 0),
            };
            match release {
                Some(Release::Released) => {
                    pages -= 1;
                    loan = Loan::Given;
                }
                Some(Release::Working) => {}
                // If a half-received value is in the way, another page is tried.
                Some(Release::Nothing) => {
                    vain += 1;
                    continue;
                }
                None if loan == Loan::Nothing => {
                    loan = Loan::Busy;
                    break;
                }
                None => break,
            }
            if pages == 0 || begun.elapsed() >= SLICE {
                return Loan::Given;
            }
        }
    }
    loan
}

/// The other shards, starting with the one that has most idle memory.
fn by_idle_bytes(near: &Neighbours<'_>, borrower: ShardId) -> Vec<ShardId> {
    let now_ms = near.ground.clock.now_ms();
    let mut ids: Vec<ShardId> = (0..near.memory.notices.len() as u16)
        .map(ShardId)
        .filter(|&id| id != borrower)
        .collect();
    ids.sort_by_cached_key(|&id| Reverse(idle_byte_ms(near.memory.notice(id), now_ms)));
    ids
}

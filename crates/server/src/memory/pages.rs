//! Memory between shards: a page goes to where its next hit comes clearly sooner.
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
//! **What was not used for `age` where an item is hit once in `interval` is hit next in `interval + age`.** That is the mean of a
//! Poisson process whose rate was exponentially distributed about one in `interval`, and which has shown nothing for `age`. For
//! the shard that lacks memory the age is that at which its items go, its turnover; for the others that of their oldest pages,
//! or their turnover if it is shorter. Who has not been asked yet may still be: no interval counts as more than 16 ages.
//!
//! So shards that are used alike exchange nothing; a shard whose items are read keeps them, though it evicts nothing; what is
//! stored and never asked for, as by a scan, takes nothing from what is; and what nobody asks for any more goes at once. Free
//! and dead memory is the oldest of all.
//!
//! Everything a shard says of itself is a number (`notice.rs`). The shard that lacks memory does the work: in slices of its own
//! time it has the other's engine on loan, as for a request, and pages move as fast as it needs them.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use corecached_engine::{Engine, IDLE_FOR_EVER, Release, Vitals};

use crate::cell::access::Access;
use crate::ground::config::Config;

use super::Neighbours;
use super::notice::Notice;
use super::turnover::Laps;
use crate::cell::ShardId;

/// Time of one slice of work on memory, after which others have their turn, and rest between two: with the windows of the network
/// loop, an eighth of the core.
pub(crate) const SLICE: Duration = Duration::from_micros(250);
/// See [`SLICE`].
pub(crate) const REST: Duration = Duration::from_millis(1);
/// A shard's own part of the memory limit, which no other can take: this share of its fair part.
const RESERVED_SHARE: u64 = 8;

/// The next hit has to be so many times later where a page is taken: less may be chance.
const LATER: f64 = 1.5;
/// An item is expected to be hit once in so many times its age.
const UNSEEN: f64 = 16.0;
/// Pages that a shard asks for when it had no memory at all.
const PAGES_AFTER_REFUSAL: u64 = 16;
/// Chunks looked at in one call of the engine.
const PAGE_CHUNKS: usize = 128;
/// Such calls for a value that cannot do without which may find nothing.
const LEND_VAIN_MAX: u32 = 3;
/// For so many rounds after any shard was short of memory, every shard says how it stands as often as with traffic.
const ATTENTIVE_ROUNDS: u32 = 20;

/// What came of asking others for pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loan {
    /// Pages, or one is being emptied.
    Given,
    /// All that might have one are at work.
    Busy,
    /// Nobody has a page that could go.
    Nothing,
}

/// One shard's part in it.
#[derive(Debug)]
pub(crate) struct Pages {
    laps: Laps,
    noted: Instant,
    /// Bytes held and evicted, and values refused for want of memory, when they were last looked at.
    held_bytes: u64,
    evicted_bytes: u64,
    refusals: u64,
    /// All that it has ever taken of free memory.
    drawn_bytes: u64,
    /// Whether it has needed memory since the last round but one.
    is_needy: bool,
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
    pages: f64,
    /// In how many milliseconds the next hit has to be expected where pages are taken, at least: infinite if only what holds
    /// nothing may go, none if there was not even anything to evict.
    next_hit_ms: f64,
}

impl Want {
    /// Whether there was not even anything to evict.
    fn is_refused(&self) -> bool {
        self.next_hit_ms == 0.0
    }

    /// How old pages have to be where an item is hit once in so many milliseconds.
    fn idle_ms(&self, hit_interval_ms: f64) -> u64 {
        let unseen = self.next_hit_ms / (1.0 + UNSEEN);
        // Infinity becomes the age of free pages.
        unseen.max(self.next_hit_ms - hit_interval_ms).max(1.0) as u64
    }

    /// What a page counts of those that are lacked, where the next hit is in so many milliseconds: none is left to be
    /// lacked when they are just late enough, and it is one where they never come.
    fn price(&self, next_hit_ms: f64) -> f64 {
        match self.next_hit_ms.is_finite() {
            true => next_hit_ms / (next_hit_ms - self.next_hit_ms),
            false => 1.0,
        }
    }
}

/// What a shard can always use at the limit of the start; see [`Budget::reserve_of`].
pub(crate) fn reserve_bytes(config: &Config) -> u64 {
    config.memory_limit_bytes / config.threads as u64 / RESERVED_SHARE
}

/// When an item of this age is hit next.
fn next_hit_ms(hit_interval_ms: f64, age_ms: u64) -> f64 {
    let age_ms = age_ms as f64;
    age_ms + hit_interval_ms.min(UNSEEN * age_ms)
}

/// Who gives a page.
struct Donor {
    shard: ShardId,
    /// How old the page has to be.
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

    /// Time until the next slice of taking, if there is anything to take; never none at all.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let until_due = self.due.saturating_duration_since(Instant::now());
        (self.want.pages > 0.0).then_some(until_due.max(Duration::from_millis(1)))
    }

    /// A round: tells the others how things stand, and says what is to be taken from them.
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
        // What nobody has is there for the taking, but was not enough where nothing is left to be evicted.
        let free_bytes = near.memory.budget.free_bytes() as f64;
        if !self.want.is_refused() && free_bytes >= self.want.pages * page_bytes {
            self.want.pages = 0.0;
        }
        // Every shard may be the next to be asked.
        let requests = near.memory.requests();
        self.calm_rounds = match std::mem::replace(&mut self.requests, requests) == requests {
            true => self.calm_rounds.saturating_add(1),
            false => 0,
        };
    }

    /// Memory that would have done for the last round: what was evicted, and what was there to be drawn.
    fn needed_bytes(&mut self, vitals: &Vitals) -> u64 {
        let before = std::mem::replace(&mut self.held_bytes, vitals.charged_bytes);
        let drawn = vitals.charged_bytes.saturating_sub(before);
        self.drawn_bytes += drawn;
        let before = std::mem::replace(&mut self.evicted_bytes, vitals.evicted_bytes);
        drawn + vitals.evicted_bytes - before
    }

    /// Reads what all shards say.
    fn note(&mut self, near: &Neighbours<'_>) {
        let before = std::mem::replace(&mut self.noted, Instant::now());
        let elapsed = self.noted.saturating_duration_since(before);
        let done = near.memory.notices.iter().map(Notice::done);
        self.laps
            .note(elapsed, done, near.memory.budget.limit_bytes());
    }

    /// When the next hit has to be expected in another shard for a page to be worth more here.
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

    /// Where nothing is left to be evicted, or nothing may be (-M), a shard gets whatever is idle at all up to its fair part;
    /// beyond it may be values that never fit, for which nothing should go.
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

    /// A slice of taking, if it is due: the other's engine is given back between its steps.
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

/// How much memory of a shard is idle, times how long it was.
fn idle_byte_ms(notice: &Notice, now_ms: u64) -> u128 {
    u128::from(notice.idle_ms(now_ms)) * u128::from(notice.bytes())
}

/// What no other shard may take from one.
fn reserve_of(near: &Neighbours<'_>) -> u64 {
    let budget = &near.memory.budget;
    budget.reserve_of(reserve_bytes(&near.ground.config))
}

/// Works on emptying a page of a shard that was idle for so long; `None` if its engine is not to be had now.
fn give_step(near: &Neighbours<'_>, donor: ShardId, idle_ms: u64) -> Option<Release> {
    let mut core = near.cells.of(donor).try_borrow()?;
    Some(give(near, donor, &mut core.engine, idle_ms))
}

fn give(near: &Neighbours<'_>, donor: ShardId, engine: &mut Engine, idle_ms: u64) -> Release {
    let now = near.ground.clock.now();
    // Items know the second in which they were used: it was over so long ago at least.
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

/// Empties pages of other shards than `borrower`, however young, for a value that lacks `bytes` and finds no memory there
/// although everything else has been evicted: as many as it takes, or as can be emptied in a slice of time.
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
                // Who meets a half-received value looks for another page.
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

/// The other shards, the one with most idle memory first.
fn by_idle_bytes(near: &Neighbours<'_>, borrower: ShardId) -> Vec<ShardId> {
    let now_ms = near.ground.clock.now_ms();
    let mut ids: Vec<ShardId> = (0..near.memory.notices.len() as u16)
        .map(ShardId)
        .filter(|&id| id != borrower)
        .collect();
    ids.sort_by_cached_key(|&id| Reverse(idle_byte_ms(near.memory.notice(id), now_ms)));
    ids
}

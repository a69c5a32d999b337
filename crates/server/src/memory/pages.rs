//! Memory between shards: a page goes to the shard where its next hit comes clearly sooner.
//!
//! ```text
//!   the shard that lacks memory                   the others
//!   an item is hit each 2 s, and goes after 3 s   an item is hit each 4 s, the oldest pages are idle for 60, 40, 1 s
//!   so of one page more: a hit of an item in 5 s  so of the oldest page: a hit of an item in 64, 44, 5 s
//!        |                                             |
//!        +-- borrows the one with most idle memory, and empties pages there if the next hit is later by half than in
//!            its own: all that it lacks if it is never, and the fewer the sooner it is
//! ```
//!
//! When a page is hit next is estimated in `want.rs`, and pages are emptied in `give.rs`.
//!
//! A shard publishes its state as numbers (`engine_memory.rs`). The shard that lacks memory does the work: in slices of
//! its own time it borrows the engine of the other shard, as for a request, and pages move as fast as it needs them.

use std::time::{Duration, Instant};

use corecached_engine::{Release, Vitals};

use crate::ids::ShardId;

use super::Neighbours;
use super::engine_memory::EngineMemory;
use super::give::{REST, SLICE, give_step, idle_byte_ms, reserve_of};
use super::turnover::Laps;
use super::want::{LATER, Want, next_hit_ms};

/// Pages that a shard asks for when it had no memory at all.
const PAGES_AFTER_REFUSAL: u64 = 16;
/// For this many rounds after any shard was short of memory, every shard publishes its numbers as often as with
/// traffic.
const ATTENTIVE_ROUNDS: u32 = 20;

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
        let Some(mut core) = near.cores.of(id).try_borrow() else {
            return;
        };
        let now = near.globals.clock.now();
        let vitals = core.engine.vitals();
        let idle = core.engine.idle_seconds(now);
        let page_bytes = core.engine.page_bytes() as f64;
        drop(core);
        let needed_bytes = self.needed_bytes(&vitals);
        self.is_needy = needed_bytes > 0;
        near.memory
            .engine(id)
            .publish(&vitals, self.drawn_bytes, idle, now);
        self.note(near);
        let turnover_ms = self
            .laps
            .turnover_ms(usize::from(id.0), vitals.charged_bytes);
        near.memory.engine(id).publish_turnover(turnover_ms);
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
        let done = near.memory.engines.iter().map(EngineMemory::done);
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
        if near.globals.tuning.slab_automove.get() == 0 {
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
                    let memory = near.memory.engine(donor.shard);
                    memory.note_young(near.globals.clock.now());
                }
                None => break,
            }
        }
        self.due = Instant::now() + REST;
    }

    /// The shard with most idle memory among those whose oldest pages are old enough.
    fn donor(&self, near: &Neighbours<'_>, id: ShardId) -> Option<Donor> {
        let now_ms = near.globals.clock.now_ms();
        let reserve_bytes = reserve_of(near);
        let others = near.memory.engines.iter().enumerate();
        others
            .filter(|&(shard, _)| shard != usize::from(id.0))
            .filter(|(_, memory)| memory.bytes() > reserve_bytes)
            .filter(|&(shard, _)| self.want.is_refused() || self.laps.has_heard_of(shard))
            .filter_map(|(shard, memory)| {
                let interval_ms = self.laps.hit_interval_ms(shard, memory.items());
                let turnover_ms = self.laps.turnover_ms(shard, memory.bytes());
                let age_ms = memory.idle_ms(now_ms).min(turnover_ms);
                let idle_ms = self.want.idle_ms(interval_ms);
                (age_ms >= idle_ms).then(|| Donor {
                    shard: ShardId(shard as u16),
                    idle_ms,
                    price: self.want.price(next_hit_ms(interval_ms, age_ms)),
                })
            })
            .max_by_key(|donor| idle_byte_ms(near.memory.engine(donor.shard), now_ms))
    }
}

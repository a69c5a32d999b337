//! Upkeep of a shard's engine: the background sweep of expired items, moves of pages between classes, memory given
//! back. If many items are dead, `reaper.rs` reclaims them before the sweep comes to them. The samples of requests go
//! to the estimator, too (`survey.rs`).
//!
//! Upkeep is a task of the shard's own executor. With glommio it has a queue with few shares and works in slices. It
//! never holds the engine across an await. It borrows the engine as another shard would; since it runs on the owner's
//! thread, only another shard's loan can be in its way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corecached_engine::{Engine, Seconds, SweepProgress};
use corecached_protocol::event::{self, CrawlerStatus};
use corecached_protocol::text::Streams;
use corecached_reactor::runtime;

use crate::ids::ShardId;
use crate::memory::give::{REST, SLICE};
use crate::memory::pages::Pages;
use crate::route::control::Control;
use crate::shared::Shared;

use super::survey::Survey;
use super::windows::Windows;

/// Time between two rounds of upkeep while there is traffic.
const ROUND: Duration = Duration::from_millis(100);
/// Time between two rounds without traffic: waking the executor costs more than the round.
const IDLE_ROUND: Duration = Duration::from_secs(1);
/// Steps of the sweep in one round. At some 13 us a step, a sweep takes 0.25% of the core.
const STEPS: usize = 20;
/// Steps in one round of a crawl that a client asked for: some 5% of the core.
const CRAWL_STEPS: usize = 400;
/// Chunks looked at in one step.
const SWEPT_CHUNKS: usize = 128;
/// Steps of the housekeeping in one round.
const MAINTAIN_STEPS: usize = 64;
/// Chunks looked at in one step of giving a page back.
const PAGE_CHUNKS: usize = 128;
/// After a sweep, the next one begins this many rounds later; the number doubles each time a sweep reclaims next to
/// nothing.
const REST_ROUNDS_MIN: u32 = 10;
/// The longest rest, in rounds: a minute while there is traffic, as long as memcached's crawler waits, and ten minutes
/// without.
const REST_ROUNDS_MAX: u32 = 600;
/// A sweep that reclaims less than one item in this many was hardly worth it.
const WORTHWHILE_SHARE: usize = 100;
/// Shares of the task queue. The network loop has 1000 and is taken to run as long as it does not park. So this is a
/// quarter of the core, more than upkeep ever uses.
const SHARES: usize = 350;

/// Starts the task on this executor.
pub(super) fn spawn(shared: Arc<Shared>, id: ShardId, windows: Windows) {
    let task = async move {
        let mut upkeep = Upkeep::default();
        let mut pages = Pages::new(shared.route.len());
        let mut chores = Chores::default();
        let mut survey = Survey::default();
        while !shared.globals.is_stopping() {
            let is_idle = !windows.take_traffic();
            let is_quiet = is_idle && !pages.is_busy();
            let round = Instant::now() + if is_quiet { IDLE_ROUND } else { ROUND };
            upkeep.begin(&shared, id);
            survey.begin(&shared, id);
            while let Some(left) = time_until(round) {
                pages.take(&shared.neighbours(), id);
                let has_more =
                    trim(&shared, id) | upkeep.slice(&shared, id) | survey.slice(&shared, id);
                match pages
                    .wait()
                    .into_iter()
                    .chain(has_more.then_some(REST))
                    .min()
                {
                    Some(wait) => windows.sleep(wait.min(left)).await,
                    None if shared.route.shard(id).is_crawl_wanted() => break,
                    None => windows.rest(left).await,
                }
            }
            if is_idle {
                wake_reaper(&shared, id);
            }
            pages.balance(&shared.neighbours(), id);
            wake_for_watchers(&shared, id);
            chores.tell(&shared, id);
        }
    };
    runtime::spawn("maintenance", SHARES, task);
}

fn time_until(instant: Instant) -> Option<Duration> {
    instant
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
}

/// Gives back a slice of memory if the limit is exceeded; returns true if there is more to give.
fn trim(shared: &Shared, id: ShardId) -> bool {
    let begun = Instant::now();
    let mut has_more = true;
    while has_more && begun.elapsed() < SLICE {
        let Some(mut core) = shared.cores.of(id).try_borrow() else {
            break;
        };
        has_more = core.engine.trim(PAGE_CHUNKS);
    }
    has_more
}

/// Wakes the network loop if the engine holds items, so that it looks for dead ones; unless the loop is parked, it
/// looks for them by itself.
fn wake_reaper(shared: &Shared, id: ShardId) {
    let core = shared.cores.of(id).try_borrow();
    let has_items = core.is_none_or(|core| core.engine.vitals().items > 0);
    if has_items && shared.globals.tuning.lru_crawler.is_on() {
        shared.route.shard(id).wake();
    }
}

/// The work of a round. Every call into the engine is bounded, and the engine is put down between calls.
#[derive(Debug, Default)]
struct Upkeep {
    /// Steps of the housekeeping that are left in this round.
    maintain_steps: usize,
    sweep_steps: usize,
    sweep: Sweep,
}

impl Upkeep {
    /// Begins a round.
    fn begin(&mut self, shared: &Shared, id: ShardId) {
        let automove = shared.globals.tuning.slab_automove.get() > 0;
        if let Some(mut core) = shared.cores.of(id).try_borrow() {
            core.engine.set_automove(automove);
        }
        self.maintain_steps = MAINTAIN_STEPS;
        if shared.route.shard(id).take_crawl_wanted() {
            self.sweep.crawl();
        } else if self.sweep.rest_a_round() || !shared.globals.tuning.lru_crawler.is_on() {
            self.sweep_steps = 0;
            return;
        }
        self.sweep_steps = match self.sweep.is_crawling() {
            true => CRAWL_STEPS,
            false => STEPS,
        };
    }

    /// Works for a slice of time; returns true if there is more to do.
    fn slice(&mut self, shared: &Shared, id: ShardId) -> bool {
        let begun = Instant::now();
        let now = shared.globals.clock.now();
        while self.has_more() && begun.elapsed() < SLICE {
            let Some(mut core) = shared.cores.of(id).try_borrow() else {
                break;
            };
            self.step(&mut core.engine, now);
        }
        if let Some(status) = self.sweep.ended.take() {
            tell_watchers(shared, id, status);
        }
        if self.sweep.take_crawl_end() {
            shared.crawler.crawled();
        }
        self.has_more()
    }

    fn has_more(&self) -> bool {
        self.maintain_steps + self.sweep_steps > 0
    }

    fn step(&mut self, engine: &mut Engine, now: Seconds) {
        if self.maintain_steps > 0 {
            let goes_on = engine.maintain(now);
            self.maintain_steps = if goes_on { self.maintain_steps - 1 } else { 0 };
        } else {
            let goes_on = self.sweep.go_on(engine.sweep(now, SWEPT_CHUNKS), now);
            self.sweep_steps = if goes_on { self.sweep_steps - 1 } else { 0 };
        }
    }
}

/// Logs that a walk has ended; the shard's next tick shows it to watchers.
fn tell_watchers(shared: &Shared, id: ShardId, status: CrawlerStatus) {
    let crawler = id.0;
    let status = CrawlerStatus { crawler, ..status };
    if let Some(mut core) = shared.cores.of(id).try_borrow() {
        let log = &mut core.observer.log;
        log.add(Streams::SYSEVENTS, |out| event::lru_crawler(out, &status));
    }
}

/// Makes the shard tick soon if the engine has done something that watchers are to see.
fn wake_for_watchers(shared: &Shared, id: ShardId) {
    let core = shared.cores.of(id).try_borrow();
    if core.is_some_and(|core| core.engine.has_events() || core.observer.log.has_lines()) {
        shared.route.shard(id).wake();
    }
}

/// Tells the network side when a second has passed, if it has anything to do then.
#[derive(Debug, Default)]
struct Chores {
    told: u32,
}

impl Chores {
    fn tell(&mut self, shared: &Shared, id: ShardId) {
        let now = shared.globals.clock.now().0;
        if shared.globals.config.idle_timeout_seconds > 0
            && now != std::mem::replace(&mut self.told, now)
        {
            shared.route.shard(id).post(Control::Second);
        }
    }
}

/// The background search for dead items. It walks all memory, then rests, the longer the less it has found.
#[derive(Debug, Default)]
struct Sweep {
    looked: usize,
    reclaimed: usize,
    rest: u32,
    rest_rounds: u32,
    /// `lru_crawler crawl`: how often the walk still has to reach the end of the memory.
    crawl: Option<u8>,
    /// When the walk under way began, and when the one before it did.
    began: u32,
    began_before: u32,
    /// Result of the walk that has just ended.
    ended: Option<CrawlerStatus>,
}

impl Sweep {
    /// Begins to look at all memory: a walk that is under way is ended first.
    fn crawl(&mut self) {
        self.crawl = Some(if self.looked > 0 { 2 } else { 1 });
        self.rest = 0;
    }

    /// Whether a crawl that was asked for has not ended.
    fn is_crawling(&self) -> bool {
        self.crawl.is_some()
    }

    /// Takes note of the end of a crawl that was asked for; returns true once for each.
    fn take_crawl_end(&mut self) -> bool {
        let ended = self.crawl == Some(0);
        if ended {
            self.crawl = None;
        }
        ended
    }

    /// Spends a round of the rest; returns false if the sweep does not rest.
    fn rest_a_round(&mut self) -> bool {
        let resting = self.rest > 0;
        self.rest = self.rest.saturating_sub(1);
        resting
    }

    /// Notes the result of a step; returns `true` if the walk goes on.
    fn go_on(&mut self, step: SweepProgress, now: Seconds) -> bool {
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
        self.rest = self.rest_rounds;
        (self.looked, self.reclaimed) = (0, 0);
        false
    }
}

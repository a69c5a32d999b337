//! Upkeep of a shard's engine: the background sweep of expired items (`sweep.rs`), moves of pages between classes,
//! memory given back. The samples of requests go to the estimator, too (`sample_feed.rs`).
//!
//! Upkeep is a task of the shard's own executor. With glommio it has a queue with few shares and works in slices. It
//! never holds the engine across an await. It borrows the engine as another shard would; since it runs on the owner's
//! thread, only another shard's loan can be in its way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corecached_engine::{Engine, Seconds};
use corecached_protocol::event::{self, CrawlerStatus};
use corecached_protocol::text::Streams;
use corecached_reactor::runtime;

use crate::ids::ShardId;
use crate::memory::give::{REST, SLICE};
use crate::memory::pages::Pages;
use crate::route::control::Control;
use crate::shared::Shared;

use super::sample_feed::SampleFeed;
use super::sweep::Sweep;
use super::upkeep_signals::UpkeepSignals;

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
/// Shares of the task queue. The network loop has 1000 and is taken to run as long as it does not park. So this is a
/// quarter of the core, more than upkeep ever uses.
const SHARES: usize = 350;

/// Starts the task on this executor.
pub(super) fn spawn(shared: Arc<Shared>, id: ShardId, signals: UpkeepSignals) {
    let task = async move {
        let mut upkeep = Upkeep::default();
        let mut pages = Pages::new(shared.route.len());
        let mut each_second = EachSecond::default();
        let mut samples = SampleFeed::default();
        while !shared.globals.is_stopping() {
            let is_idle = !signals.take_traffic();
            let is_quiet = is_idle && !pages.is_busy();
            let round = Instant::now() + if is_quiet { IDLE_ROUND } else { ROUND };
            upkeep.begin(&shared, id);
            samples.begin(&shared, id);
            while let Some(left) = time_until(round) {
                pages.take(&shared.neighbours(), id);
                let has_more =
                    trim(&shared, id) | upkeep.slice(&shared, id) | samples.slice(&shared, id);
                match pages
                    .wait()
                    .into_iter()
                    .chain(has_more.then_some(REST))
                    .min()
                {
                    Some(wait) => signals.until_window_ends(wait.min(left)).await,
                    None if shared.route.shard(id).is_crawl_wanted() => break,
                    None => signals.until_called(left).await,
                }
            }
            if is_idle {
                wake_reaper(&shared, id);
            }
            pages.balance(&shared.neighbours(), id);
            wake_for_watchers(&shared, id);
            each_second.post(&shared, id);
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

/// Posts a message to the network side when a second has passed, if it has anything to do then.
#[derive(Debug, Default)]
struct EachSecond {
    posted: u32,
}

impl EachSecond {
    fn post(&mut self, shared: &Shared, id: ShardId) {
        let now = shared.globals.clock.now().0;
        if shared.globals.config.idle_timeout_seconds > 0
            && now != std::mem::replace(&mut self.posted, now)
        {
            shared.route.shard(id).post(Control::Second);
        }
    }
}

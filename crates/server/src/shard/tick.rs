//! The network loop of a shard.
//!
//! ```text
//!        +-> wait in the ring (engine put down, may be lent) -> events
//!        |      resume the engine
//!        |        run what other shards sent
//!        |        received bytes -> requests -> own engine or outboxes
//!        |      put it down
//!        |      outboxes: loan or message; replies that came back -> connections
//!        +--    queue one send for each connection with replies
//! ```
//!
//! Between the wait and the tick there is room for a slice of the search for dead items (`reaper.rs`).
//!
//! While there is traffic, the loop waits in its own ring and lets the executor's other tasks run once in a warm
//! window. After some windows without traffic it parks in the executor, and costs nothing. At the end of the process it
//! waits in its own ring only, for a window at most: the executor's other tasks are over.

use std::io;
use std::time::Duration;

use corecached_reactor::{WhenIdle, Window, runtime};

use crate::route::control::Control;
use crate::route::stage::Stage;

use crate::lending::core::Core;
use crate::watch::Lines;

use super::pace::{Pace, Pacing};
use super::prefetch::PREFETCHED_EVENTS;
use super::{Net, Shard};

impl Shard {
    pub(super) async fn run(&mut self) -> io::Result<()> {
        let mut pacing = Pacing::new();
        loop {
            self.enter_ring()?;
            self.cpu_yield.yield_if_due(self.net.turn_begins());
            let (pace, passed) = pacing.turn(&self.events);
            if pace != Pace::Run {
                self.net.lists.window_ended();
                self.net.publish_pools();
            }
            self.reap(pace);
            self.tick(passed);
            if self.net.is_drained() {
                return Ok(());
            }
            match pace {
                // No further event may ever come, but the ring's timer does, and the drain has its own deadline.
                _ if self.net.is_ending() => {}
                Pace::Run => {}
                Pace::Park | Pace::Yield => {
                    // Also before it parks: a loop that cannot park, for want of a descriptor, lets others run as well.
                    self.call_for_crawl();
                    self.upkeep.window_ended();
                    runtime::yield_now().await;
                    if pace == Pace::Park && self.net.may_park() && !self.reaper.is_at_work() {
                        self.park().await?;
                        self.call_for_crawl();
                    }
                }
            }
            self.net.reactor.set_window(self.wanted_window());
        }
    }

    /// Submits what the last turn has queued, and brings what has come; waits for something if there is nothing to do.
    fn enter_ring(&mut self) -> io::Result<()> {
        let may_wait = self.may_wait();
        self.reaper.worked();
        let (net, reaper) = (&mut self.net, &mut self.reaper);
        net.shared
            .route
            .shard(net.id)
            .enter_kernel(may_wait, |waits| {
                let when_idle = match waits {
                    true => WhenIdle::Sleep,
                    false => WhenIdle::Return,
                };
                let turned = net.reactor.turn(when_idle, &mut self.events);
                if waits {
                    reaper.waited();
                }
                turned
            })
    }

    /// Whether the loop may wait in its ring for the next turn.
    fn may_wait(&mut self) -> bool {
        let has_nothing_to_do = self.net.may_wait() && !self.reaper.wants_turn();
        self.net.is_ending() || (has_nothing_to_do && !self.net.measures_sends())
    }

    /// The length of a warm window that is wanted: short if anything waits for its end.
    fn wanted_window(&self) -> Window {
        let is_awaited = self.upkeep.waits_for_window()
            || self.net.lists.has_waiting_for_window()
            || self.reaper.is_at_work()
            || self.net.conn_memory.is_near_share()
            || self.net.is_ending();
        match is_awaited {
            true => Window::Short,
            false => Window::Long,
        }
    }

    /// Searches for dead items for a slice, if one is due. The replies of the last turn are out; events that have come
    /// wait.
    #[inline]
    fn reap(&mut self, pace: Pace) {
        if pace != Pace::Run {
            let is_wanted = self.net.shared.globals.tuning.lru_crawler.is_on();
            self.reaper.window_ended(is_wanted);
        }
        if let Some(slice) = self.reaper.slice() {
            let now = self.net.shared.globals.clock.now();
            self.reaper
                .work(&mut self.owner.resume().engine, now, slice);
            self.net.turn_begins();
        }
    }

    /// Tells the upkeep, which may have nothing to do, that a client wants dead items to be looked for now.
    fn call_for_crawl(&self) {
        if self.net.handle().is_crawl_wanted() {
            self.upkeep.call();
        }
    }

    async fn park(&mut self) -> io::Result<()> {
        if self.net.handle().try_sleep() {
            self.net.counters().parks.add(1);
            self.net.buffers.reply_buffers.shrink();
            self.net.router.shrink();
            self.net.shrink_meter();
            self.net.handle().reaches(Stage::Parked);
            self.sleep_beside_upkeep().await?;
            self.net.handle().reaches(Stage::Serving);
            self.net.handle().end_sleep();
        }
        Ok(())
    }

    /// Sleeps until something comes, and lets the upkeep run meanwhile when it is due.
    async fn sleep_beside_upkeep(&mut self) -> io::Result<()> {
        while let Some(left) = self.upkeep.time_left()
            && !self.net.reactor.has_events()
        {
            self.net.reactor.park_for(left).await?;
            if self.upkeep.time_left() != Some(Duration::ZERO) {
                break;
            }
            self.upkeep.window_ended();
            runtime::yield_now().await;
        }
        Ok(())
    }

    /// One pass over all events, batches and messages that have come. `passed` is the number of short windows that have
    /// ended.
    fn tick(&mut self, passed: u32) {
        let net = &mut self.net;
        net.now = net.shared.globals.clock.now();
        net.counters().ticks.add(1);
        let (seen, messages);
        {
            let mut turn = self.owner.resume();
            let core: &mut Core = &mut turn;
            core.observer.sync(&mut core.engine);
            net.log.sync();
            let handle = net.shared.route.shard(net.id);
            net.router.serve(handle, core, net.now);
            if net.router.has_served() {
                net.mark();
            }
            net.unpin_sealed(core);
            let mut events = self.events.drain(..);
            while !events.as_slice().is_empty() {
                let next = &events.as_slice()[..events.len().min(PREFETCHED_EVENTS)];
                net.prefetch(next, &core.engine);
                for event in events.by_ref().take(PREFETCHED_EVENTS) {
                    net.handle_event(event, core);
                }
            }
            net.take_arrivals();
            net.work_on_ready(core);
            net.work_on_handshakes(core);
            net.close_listed(core);
            seen = core.observer.take(&mut core.engine);
            net.shared
                .memory
                .engine(net.id)
                .publish_evicted(core.engine.evicted_bytes());
            messages = net.take_messages(core);
        }
        net.handle_control(messages);
        net.close_idle();
        net.mark_exchange();
        net.exchange(passed);
        net.publish(seen);
        net.send_replies();
        net.publish_slow();
        net.watch_conn_memory(passed > 0);
        net.check_stopping();
    }
}

impl Net {
    /// Whether the shard has nothing to do until something comes.
    fn may_wait(&self) -> bool {
        self.lists.are_empty()
            && !self.udp.has_copied()
            && !self.buffers.has_sealed()
            && !self.has_idle_left()
            && self.router.may_sleep()
    }

    /// Whether the shard has nothing to do until something comes, even after the end of a window.
    fn may_park(&self) -> bool {
        !self.lists.has_waiting_for_window() && self.may_wait()
    }

    /// Shows watchers the lines of this tick: those of the shard's own operations (`seen`) and the others.
    fn publish(&mut self, seen: Option<Lines>) {
        let under_loans = self.router.take_seen();
        for lines in seen.iter().chain(&under_loans).chain(&self.log.take()) {
            self.shared.watch.publish(lines, |shard, conn| {
                self.shared
                    .route
                    .shard(shard)
                    .post(Control::Watched { conn });
            });
        }
    }

    /// Shows watchers the lines about commands that the sends of this tick have found slow.
    #[inline]
    fn publish_slow(&mut self) {
        if self.log.has_lines() {
            self.publish(None);
        }
    }
}

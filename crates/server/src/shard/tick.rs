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

use corecached_reactor::{Event, Outgoing, RecvBuf, WhenIdle, Window, runtime};

use crate::conn::{Arrival, HandshakeTurn, Turning};
use crate::ids::ConnId;
use crate::route::control::Control;
use crate::route::stage::Stage;

use crate::lending::core::Core;
use crate::watch::Lines;

use super::acceptor::listener_id;
use super::lists::Newcomer;
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
                self.net.lists.end_rest();
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
        net.shared.route.shard(net.id).rest(may_wait, |waits| {
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
            || self.net.lists.has_resting()
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
            self.reaper.tick(is_wanted);
        }
        if let Some(slice) = self.reaper.slice() {
            let now = self.net.shared.globals.clock.now();
            self.reaper
                .work(&mut self.owner.resume().engine, now, slice);
            self.net.turn_begins();
        }
    }

    /// Tells the upkeep, which may be at rest, that a client wants dead items to be looked for now.
    fn call_for_crawl(&self) {
        if self.net.handle().is_crawl_wanted() {
            self.upkeep.call();
        }
    }

    async fn park(&mut self) -> io::Result<()> {
        if self.net.handle().try_sleep() {
            self.net.counters().parks.add(1);
            self.net.buffers.reply_buffers.rest();
            self.net.router.rest();
            self.net.rest_meter();
            self.net.handle().reaches(Stage::Parked);
            self.net.reactor.park().await?;
            self.net.handle().reaches(Stage::Serving);
            self.net.handle().rise();
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
        !self.lists.has_resting() && self.may_wait()
    }

    fn handle_event(&mut self, event: Event, core: &mut Core) {
        match event {
            Event::Received { token, buf } => self.received(ConnId::from_token(token), buf, core),
            Event::Eof { token } => self.ended(ConnId::from_token(token)),
            Event::RecvFailed { token, .. } => self.fail_conn(ConnId::from_token(token)),
            Event::Readable { token } => self.readable(ConnId::from_token(token), core),
            Event::RecvStopped { token } => self.recv_stopped(ConnId::from_token(token)),
            Event::SendBlocked { token, send } => {
                self.send_blocked(ConnId::from_token(token), send);
            }
            Event::SendDone {
                token,
                send,
                inserts,
            } => {
                self.unpin(inserts, core);
                self.sent(ConnId::from_token(token), send);
            }
            Event::SendFailed {
                token,
                errno,
                inserts,
                ..
            } => {
                self.unpin(inserts, core);
                self.send_failed(ConnId::from_token(token), errno);
            }
            Event::Accepted { token, fd } => self.lists.arrives(Newcomer {
                fd,
                listener: listener_id(token),
                is_handed_over: false,
            }),
            Event::AcceptFailed { token, errno } => {
                self.accept_failed(listener_id(token), errno);
            }
            Event::Datagram { token, buf } => {
                self.upkeep.note_traffic();
                self.datagram(listener_id(token), buf, core);
            }
            Event::DatagramsFailed { token, errno } => {
                self.datagrams_failed(listener_id(token), errno);
            }
            Event::Doorbell | Event::Wake | Event::Tick { .. } => {}
        }
    }

    fn received(&mut self, id: ConnId, buf: RecvBuf, core: &mut Core) {
        self.upkeep.note_traffic();
        let turn = self.with_conn(id, core, |conn, buffers, cx| {
            let bytes = buffers.reactor.bytes(&buf);
            let turn = conn.handshake_turn(bytes);
            if turn == HandshakeTurn::Now {
                conn.receive(bytes, buffers.scratch, cx);
            }
            turn
        });
        if turn == Some(HandshakeTurn::ToBeQueued) {
            self.lists.shakes_hands(id);
        }
        self.reactor.recycle(buf);
    }

    /// Reads from a connection that large values are expected from, since its socket is readable.
    fn readable(&mut self, id: ConnId, core: &mut Core) {
        self.upkeep.note_traffic();
        let mut landing = self.buffers.take_landing();
        let arrival = self.with_conn(id, core, |conn, _, cx| {
            conn.reads.stopped();
            let arrival = conn.read_directly(&mut landing, cx);
            if !matches!(arrival, Ok(Arrival::Bytes)) {
                conn.input_ended();
            }
            arrival
        });
        self.buffers.give_landing(landing);
        if matches!(arrival, Some(Err(_))) {
            self.fail_conn(id);
        }
    }

    /// Puts a connection on the lists that it belongs to after it has worked.
    pub(super) fn after_input(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        self.lists.after_work(conn);
        match conn.next_reading() {
            Turning::Stays => {}
            Turning::Stops => self.reactor.cancel_recv(id.token()),
            Turning::Polls(stream) => self.reactor.poll(stream),
            Turning::Receives(stream) => self.reactor.recv(stream),
        }
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

    /// Begins one send for each connection that has replies.
    fn send_replies(&mut self) {
        let mut list = self.lists.take_to_send();
        if !list.is_empty() {
            self.mark_sends();
        }
        for id in list.drain(..) {
            let Some(conn) = self.conns.get_mut(id) else {
                continue;
            };
            conn.listed.to_send = false;
            if conn.is_datagram() {
                if conn.is_answered() {
                    self.measure_datagram(id);
                    self.answer(id);
                }
                continue;
            }
            let counters = self.shared.telemetry.of(self.id.0);
            let outgoing = if conn.is_secure() {
                conn.take_sealed(self.reactor.take_buffer(), &mut self.buffers.sealing)
            } else {
                conn.take_output().inspect(|outgoing| {
                    counters.bytes_written.add(outgoing.len() as u64);
                })
            };
            let bytes = outgoing.as_ref().map(Outgoing::len);
            if let Some(outgoing) = outgoing {
                conn.send(outgoing, &mut self.reactor);
                if conn.is_closing() || conn.has_more_to_seal() {
                    // These may be the connection's last replies, or not all of them: it is looked at again once the
                    // kernel has taken them.
                    self.lists.sends_again(conn);
                }
            } else if conn.is_finished() {
                self.lists.close(id);
            }
            self.measure(id, bytes);
            self.conns.count(id);
        }
        self.lists.give_back(list);
        self.after_sealing();
    }
}

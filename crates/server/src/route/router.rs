//! The way from one shard to the others: on a loan at once, or by an outbox for each, emptied once a tick by a loan or,
//! failing that, by a message.
//!
//! ```text
//!  tick of shard A                         shard B
//!  ops for B -> outbox --try_borrow()--+-- yes: run here, on B's engine, replies at once
//!                                      +-- no:  push to B's queue (a doorbell only if B sleeps);
//!                                               B runs it in its next tick and pushes the batch back
//! ```
//!
//! If nothing waits for B, and B's engine can be borrowed at this very moment, an operation is run at once: its reply
//! is written in its place, and nothing is copied.
//!
//! Gets read the other shard's memory instead (`dialect/elsewhere.rs`). Notes of these reads, from which the other
//! engine learns that its items were used, go the same way, before lookups that follow. If none follow, the notes go
//! now and then.
//!
//! Order: a borrower first runs its own messages that are still queued at B, so that one connection's operations on one
//! key take effect in the order they were sent.

use std::os::fd::RawFd;

use corecached_engine::{Seconds, StagedTicket};
use corecached_reactor::DoorbellTarget;

use crate::cell::access::Access;
use crate::cell::notes::Notes;
use crate::cell::op::{Op, ShardOp, Verb};
use crate::cell::reads::ReadLog;
use crate::cell::walk::WalkStep;
use crate::dialect::Style;
use crate::dialect::dump::Dump;
use crate::ground::counters::NetCounters;
use crate::lending::batch::{Batch, BoxedBatch};
use crate::watch::Lines;

use super::directory::{Directory, ShardHandle};
use super::peer::{LOAN_BYTES_MAX, Leavings, Lender, NOBODY, Peer};
use super::pushed::Pushed;
use super::sets::Sets;
use super::spare::Spares;

use crate::cell::{ConnId, ReplyTo, ShardId};
use crate::lending::core::{Cells, Core};

/// Batches that may be under way from one shard to another; further ones wait in the outbox.
pub(crate) const QUEUE_BATCHES: usize = 16;
/// With this many operations waiting for one shard, connections stop adding to them.
const OUTBOX_OPS_MAX: usize = 4096;
/// With this many bytes of values waiting for one shard, connections stop adding to them.
const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Reads are told to their shards after this many warm windows (16 ms), if the log is not full before.
const LOG_WINDOWS: u32 = 8;

pub(crate) use super::peer::PeerQueues;

/// The queues and outboxes through which one shard reaches the others.
pub(crate) struct Router {
    me: ShardId,
    sets: Sets,
    /// Reads of other shards' items that have not been sorted out yet.
    log: ReadLog,
    /// Warm windows since the shards were last told of reads.
    windows: u32,
    /// Whether the shards are to be told of reads without waiting for the end of a window.
    tells: bool,
    congested: bool,
    /// The connection whose operations are being pushed; logs name it.
    descriptor: RawFd,
    /// The number of the next emptying of the outboxes.
    epoch: u64,
    /// By shard id; `None` for this shard itself.
    peers: Vec<Option<Peer>>,
    spare: Spares,
    leavings: Leavings,
}

impl Router {
    /// A router for shard `me`, with the queues to each shard by its id.
    pub(crate) fn new(me: ShardId, queues: Vec<Option<PeerQueues>>) -> Router {
        Router {
            me,
            sets: Sets::new(queues.len()),
            log: ReadLog::new(),
            windows: 0,
            tells: false,
            congested: false,
            descriptor: NOBODY,
            epoch: 0,
            peers: queues
                .into_iter()
                .map(|queues| queues.map(Peer::new))
                .collect(),
            spare: Spares::default(),
            leavings: Leavings::default(),
        }
    }

    /// The epoch in which operations are pushed now, for [`Pushed::note`].
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether operations of a connection on another shard may not have been run yet.
    #[inline]
    pub(crate) fn may_owe(&self, shard: ShardId, pushed: &Pushed) -> bool {
        let owes = self.sets.loaded.contains(shard) || self.sets.awaited.contains(shard);
        let peer = || self.peers[usize::from(shard.0)].as_ref();
        owes && peer().is_some_and(|peer| pushed.is_after(shard, peer.run_before))
    }

    /// The log of reads of other shards' items, with room for one more.
    #[inline]
    pub(crate) fn log(&mut self) -> &mut ReadLog {
        if self.log.is_full() {
            self.sort_reads();
            self.tells = true;
        }
        &mut self.log
    }

    /// Sorts the log out: each shard's reads to its notes.
    #[cold]
    fn sort_reads(&mut self) {
        for read in self.log.drain_reads() {
            if let Some(peer) = &mut self.peers[usize::from(read.owner.0)] {
                peer.notes.reads.add(read.class, read.note);
                self.sets.noted.insert(read.owner);
            }
        }
        self.sort_samples();
    }

    fn sort_samples(&mut self) {
        for (owner, sample) in self.log.drain_samples() {
            if let Some(peer) = &mut self.peers[usize::from(owner.0)] {
                peer.notes.add_sample(sample);
                self.sets.noted.insert(owner);
            }
        }
    }

    /// Sees to it that a shard is told, before an operation on it, of the reads that the operation's outcome depends on.
    #[inline]
    fn prepare(&mut self, op: &Op<'_>) {
        // A lookup may show when and whether its item was used. The estimate of `stats mrc` has to learn of a miss
        // before it learns of the store that the miss has led to.
        if matches!(op.verb, Verb::Get(_)) {
            self.sort_reads();
        } else if self.log.has_samples() {
            self.sort_samples();
        }
    }

    /// Runs an operation on another shard at once, by `run`, if no other operation waits for that shard and its engine
    /// can be borrowed. Returns false, and does nothing, otherwise.
    #[inline]
    pub(crate) fn run_at_once(
        &mut self,
        to: ShardId,
        op: &Op<'_>,
        (cells, net): (&Cells, &NetCounters),
        now: Seconds,
        run: impl FnOnce(&mut Access<'_>),
    ) -> bool {
        if self.sets.loaded.contains(to) || op.verb.value().len() > LOAN_BYTES_MAX {
            return false;
        }
        self.prepare(op);
        let Some(peer) = &mut self.peers[usize::from(to.0)] else {
            return false;
        };
        let lender = Lender {
            core: cells.of(to),
            shard: to,
            borrower: self.me,
            now,
        };
        let descriptor = self.descriptor;
        let has_run = peer.borrow(lender, &mut self.leavings, |_, access| {
            access.descriptor = descriptor;
            run(access);
        });
        if has_run {
            net.loans.add(1);
            net.remote_ops.add(1);
            peer.run_before = self.epoch;
            self.sets.noted.remove(to);
        }
        has_run
    }

    /// Sets the connection for which operations are pushed from now on.
    #[inline]
    pub(crate) fn push_for(&mut self, descriptor: RawFd) {
        self.descriptor = descriptor;
    }

    /// Takes the lines for watchers that were written under loans.
    pub(crate) fn take_seen(&mut self) -> Vec<Lines> {
        std::mem::take(&mut self.leavings.seen)
    }

    /// Adds an operation for another shard.
    pub(crate) fn push(
        &mut self,
        to: ShardId,
        op: &Op<'_>,
        style: &Style<'_>,
        reply_to: Option<ReplyTo>,
    ) {
        self.prepare(op);
        let descriptor = self.descriptor;
        self.with_outbox(to, |outbox| outbox.push(op, style, reply_to, descriptor));
    }

    /// Adds a storage operation whose value comes in pieces.
    pub(crate) fn push_pieces<'v>(
        &mut self,
        to: ShardId,
        op: &Op<'_>,
        style: &Style<'_>,
        pieces: impl Iterator<Item = &'v [u8]>,
        reply_to: Option<ReplyTo>,
    ) {
        self.prepare(op);
        let descriptor = self.descriptor;
        self.with_outbox(to, |outbox| {
            outbox.push_pieces(op, style, pieces, reply_to, descriptor);
        });
    }

    /// Adds an operation on another shard; `asker` is told when it is done.
    pub(crate) fn push_shard_op(&mut self, to: ShardId, op: &ShardOp<'_>, asker: Option<ConnId>) {
        let descriptor = self.descriptor;
        self.with_outbox(to, |outbox| outbox.push_shard_op(op, asker, descriptor));
    }

    /// Adds a step of a walk over another shard's items.
    pub(crate) fn push_walk(&mut self, to: ShardId, step: WalkStep, dump: Dump, reply_to: ReplyTo) {
        let descriptor = self.descriptor;
        self.with_outbox(to, |outbox| {
            outbox.push_walk(step, dump, reply_to, descriptor);
        });
    }

    /// Gives up a value that was to be received into another shard's memory.
    pub(crate) fn abort_staged(&mut self, to: ShardId, staged: StagedTicket) {
        self.push_shard_op(to, &ShardOp::Abort { staged }, None);
    }

    fn with_outbox(&mut self, to: ShardId, add: impl FnOnce(&mut Batch)) {
        let peer = self.peers[usize::from(to.0)].as_mut();
        debug_assert!(peer.is_some(), "a shard routes to others only");
        if let Some(peer) = peer {
            add(&mut peer.outbox);
            self.sets.loaded.insert(to);
            self.congested |= peer.outbox.len() >= OUTBOX_OPS_MAX
                || peer.outbox.arena_bytes() >= OUTBOX_BYTES_MAX;
        }
    }

    /// Whether connections should hold back, because another shard does not keep up.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.congested
    }

    /// Bytes of heap memory held by operations that wait here and by batches that are kept for use.
    pub(crate) fn held_bytes(&self) -> usize {
        let outboxes = self.peers.iter().flatten().map(|peer| &peer.outbox);
        let batches = outboxes.chain(&self.leavings.completed);
        let notes = self.peers.iter().flatten().map(|peer| &peer.notes);
        batches.map(|batch| batch.held_bytes()).sum::<usize>()
            + notes.map(Notes::held_bytes).sum::<usize>()
            + self.log.held_bytes()
            + self.spare.held_bytes()
    }

    /// Whether there is another shard.
    pub(crate) fn has_peers(&self) -> bool {
        self.peers.len() > 1
    }

    /// Whether nothing waits here that another pass could move on.
    pub(crate) fn may_sleep(&self) -> bool {
        self.sets.loaded.is_empty()
    }

    /// Whether no operation is waiting or under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.may_sleep() && self.sets.awaited.is_empty()
    }

    /// Runs the batches that other shards have sent to this one, in its own turn.
    pub(crate) fn serve(&mut self, handle: &ShardHandle, core: &mut Core, now: Seconds) {
        handle.take_senders(&mut self.sets.now);
        while let Some(shard) = self.sets.now.pop() {
            let index = usize::from(shard.0);
            let Some(peer) = &mut self.peers[index] else {
                continue;
            };
            let mut access = Access {
                engine: &mut core.engine,
                observer: &mut core.observer,
                shard: self.me,
                now,
                descriptor: NOBODY,
            };
            while let Some(mut batch) = core.inbound[index].pop() {
                // A watcher that came before the batch was sent sees the batch's operations.
                access.observer.sync(access.engine);
                batch.run(&mut access);
                let pushed = peer.queues.answers.push(batch);
                debug_assert!(
                    pushed.is_ok(),
                    "the way back has room for every batch under way"
                );
                self.sets.owed.insert(shard);
            }
        }
    }

    /// Moves every outbox on, by loan or by message; to be called while this shard's own engine is put down. Every few
    /// warm windows, all shards are told of the reads of their items. `ring` rings a doorbell.
    pub(crate) fn flush(
        &mut self,
        (cells, route): (&Cells, &Directory),
        net: &NetCounters,
        now: Seconds,
        mut ring: impl FnMut(&DoorbellTarget),
        ends_window: bool,
    ) {
        self.congested = false;
        let tells = self.tells_now(ends_window);
        let sets = &mut self.sets;
        sets.now.extend(&sets.owed);
        sets.now.extend(&sets.loaded);
        if tells {
            sets.now.extend(&sets.noted);
        }
        while let Some(shard) = self.sets.now.pop() {
            let handle = route.shard(shard);
            let lender = Lender {
                core: cells.of(shard),
                shard,
                borrower: self.me,
                now,
            };
            if self.flush_to(lender, handle, net, tells)
                && handle.notify()
                && let Some(doorbell) = handle.doorbell()
            {
                net.doorbells.add(1);
                ring(doorbell);
            }
        }
        self.epoch += 1;
    }

    /// Whether the shards are to be told of reads now. If so, the log has been sorted out.
    fn tells_now(&mut self, ends_window: bool) -> bool {
        self.windows += u32::from(ends_window);
        if self.windows < LOG_WINDOWS && !self.tells {
            return false;
        }
        self.windows = 0;
        self.tells = false;
        self.sort_reads();
        true
    }

    /// Moves one outbox on, with the notes of reads. Returns whether the shard is to be told that a batch has been
    /// pushed.
    fn flush_to(
        &mut self,
        lender: Lender<'_>,
        handle: &ShardHandle,
        net: &NetCounters,
        tells: bool,
    ) -> bool {
        let shard = lender.shard;
        let Some(peer) = &mut self.peers[usize::from(shard.0)] else {
            return false;
        };
        let sets = &mut self.sets;
        let mut rings = sets.owed.remove(shard);
        let ops = peer.outbox.len() as u64;
        let mut sends = false;
        if ops == 0 {
            // Notes can wait, but not for ever.
            sends = tells && !peer.tell(lender);
        } else if peer.try_loan(lender, &mut self.leavings) {
            net.loans.add(1);
            peer.run_before = self.epoch + 1;
            let empty = self.spare.take();
            let done = std::mem::replace(&mut peer.outbox, empty);
            self.leavings.completed.push(done);
        } else {
            sends = true;
        }
        if sends && peer.under_way < QUEUE_BATCHES {
            net.messages.add(1);
            peer.send(self.spare.take(), self.epoch);
            handle.sent_by(self.me);
            sets.awaited.insert(shard);
            rings = true;
        }
        if peer.outbox.is_empty() {
            net.remote_ops.add(ops);
            sets.loaded.remove(shard);
        }
        if peer.notes.is_empty() {
            sets.noted.remove(shard);
        }
        rings
    }

    /// Takes the batches that have come back, and those that were run here, whose replies are to be delivered. They go
    /// to [`Router::give_back`] afterwards.
    pub(crate) fn collect(&mut self) -> Vec<BoxedBatch> {
        self.sets.now.extend(&self.sets.awaited);
        while let Some(shard) = self.sets.now.pop() {
            let Some(peer) = &mut self.peers[usize::from(shard.0)] else {
                continue;
            };
            while let Some(batch) = peer.queues.replies.pop() {
                peer.under_way -= 1;
                peer.run_before = peer.run_before.max(batch.epoch + 1);
                self.leavings.completed.push(batch);
            }
            if peer.under_way == 0 {
                self.sets.awaited.remove(shard);
            }
        }
        std::mem::take(&mut self.leavings.completed)
    }

    /// Frees batches, since there is no traffic.
    pub(crate) fn rest(&mut self) {
        self.spare.rest();
    }

    /// Takes delivered batches back, for use again.
    pub(crate) fn give_back(&mut self, mut batches: Vec<BoxedBatch>) {
        for batch in batches.drain(..) {
            self.spare.give(batch);
        }
        if self.leavings.completed.is_empty() {
            self.leavings.completed = batches;
        }
    }
}

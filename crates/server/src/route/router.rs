//! The way from one shard to the others: an outbox for each, emptied once a tick by a loan or, failing that, by a message.
//!
//! ```text
//!  tick of shard A                         shard B
//!  ops for B -> outbox --try_borrow()--+-- yes: run here, on B's engine, replies at once
//!                                      +-- no:  push to B's queue (a doorbell only if B sleeps);
//!                                               B runs it in its next tick and pushes the batch back
//! ```
//!
//! Order: a borrower first runs its own messages that are still queued at B, so that one connection's operations on one
//! key take effect in the order they were sent.

use std::os::fd::RawFd;

use corecached_engine::{Seconds, StagedTicket};
use corecached_mesh::Loanable;
use corecached_mesh::spsc::{Consumer, Producer};
use corecached_reactor::Reactor;

use crate::cell::access::Access;
use crate::cell::batch::{Batch, BoxedBatch};
use crate::cell::op::{Op, ShardOp};
use crate::cell::walk::WalkStep;
use crate::dialect::Style;
use crate::dialect::dump::Dump;
use crate::ground::counters::NetCounters;
use crate::watch::Lines;

use super::directory::Directory;

use crate::cell::core::{Cells, Core};
use crate::cell::{ConnId, ReplyTo, ShardId};

/// Batches that may be under way from one shard to another; more wait in the outbox.
pub(crate) const QUEUE_BATCHES: usize = 16;
/// A larger outbox goes by message, so that a loan stays short (some 50 us at 100 ns for an operation).
const LOAN_OPS_MAX: usize = 512;
/// Likewise for bytes of values to be copied.
const LOAN_BYTES_MAX: usize = 128 * 1024;
/// Likewise for questions for the memory of large values: each may take eight chunks, and evict for them.
const LOAN_ASKING_MAX: usize = 2;
/// With so many operations waiting for one shard, connections stop adding to them.
const OUTBOX_OPS_MAX: usize = 4096;
/// Likewise for bytes of values.
const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Stands for no connection at all.
const NOBODY: RawFd = -1;
/// Empty batches kept for use.
const SPARE_BATCHES: usize = 32;

/// The ends of the queues between this shard and one other.
pub(crate) struct PeerQueues {
    /// Requests to it.
    pub(crate) requests: Producer<BoxedBatch>,
    /// Our batches, executed, on their way back.
    pub(crate) replies: Consumer<BoxedBatch>,
    /// Its batches that we have executed, back to it.
    pub(crate) answers: Producer<BoxedBatch>,
}

struct Peer {
    outbox: BoxedBatch,
    queues: PeerQueues,
    under_way: usize,
    owed_bell: bool,
}

/// Everything one shard needs to reach the others.
pub(crate) struct Router {
    me: ShardId,
    /// By shard id; `None` for this shard itself.
    peers: Vec<Option<Peer>>,
    spare: Vec<BoxedBatch>,
    /// Batches whose replies are there, to be delivered to their connections.
    completed: Vec<BoxedBatch>,
    congested: bool,
    /// The connection whose operations are being pushed; logs name it.
    descriptor: RawFd,
    /// Lines written under loans, to be published.
    seen: Vec<Lines>,
}

impl Router {
    /// A router for shard `me`.
    pub(crate) fn new(me: ShardId, queues: Vec<Option<PeerQueues>>) -> Router {
        let peer = |queues| Peer {
            outbox: Box::default(),
            queues,
            under_way: 0,
            owed_bell: false,
        };
        Router {
            me,
            peers: queues.into_iter().map(|queues| queues.map(peer)).collect(),
            spare: Vec::with_capacity(SPARE_BATCHES),
            completed: Vec::new(),
            congested: false,
            descriptor: NOBODY,
            seen: Vec::new(),
        }
    }

    /// Says whose operations are pushed from now on.
    #[inline]
    pub(crate) fn push_for(&mut self, descriptor: RawFd) {
        self.descriptor = descriptor;
    }

    /// Takes the lines written under loans.
    pub(crate) fn take_seen(&mut self) -> Vec<Lines> {
        std::mem::take(&mut self.seen)
    }

    /// Adds an operation for another shard.
    pub(crate) fn push(
        &mut self,
        to: ShardId,
        op: &Op<'_>,
        style: &Style<'_>,
        reply_to: Option<ReplyTo>,
    ) {
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
            outbox.push_walk(step, dump, reply_to, descriptor)
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
            self.congested |= peer.outbox.len() >= OUTBOX_OPS_MAX
                || peer.outbox.arena_bytes() >= OUTBOX_BYTES_MAX;
        }
    }

    /// Whether connections should hold back, because another shard does not keep up.
    #[inline]
    pub(crate) fn is_congested(&self) -> bool {
        self.congested
    }

    /// Bytes of heap memory that operations on their way and batches for use again hold, as far as they are here.
    pub(crate) fn held_bytes(&self) -> usize {
        let outboxes = self.peers.iter().flatten().map(|peer| &peer.outbox);
        let batches = outboxes.chain(&self.spare).chain(&self.completed);
        batches.map(|batch| batch.held_bytes()).sum()
    }

    /// Whether there is another shard.
    pub(crate) fn has_peers(&self) -> bool {
        self.peers.len() > 1
    }

    /// Whether nothing waits here that a further pass could move on.
    pub(crate) fn may_sleep(&self) -> bool {
        self.peers
            .iter()
            .flatten()
            .all(|peer| peer.outbox.is_empty())
    }

    /// Whether no operation is waiting or under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.may_sleep() && self.peers.iter().flatten().all(|peer| peer.under_way == 0)
    }

    /// Runs what other shards have sent to this one, in its own turn.
    pub(crate) fn serve(&mut self, core: &mut Core, now: Seconds) {
        for (inbound, peer) in core.inbound.iter_mut().zip(&mut self.peers) {
            let Some(peer) = peer else { continue };
            let mut access = Access {
                engine: &mut core.engine,
                observer: &mut core.observer,
                shard: self.me,
                now,
                descriptor: NOBODY,
            };
            while let Some(mut batch) = inbound.pop() {
                // What somebody began to watch before the batch was sent is seen in it.
                access.observer.sync(access.engine);
                batch.run(&mut access);
                let pushed = peer.queues.answers.push(batch);
                debug_assert!(
                    pushed.is_ok(),
                    "the way back has room for every batch under way"
                );
                peer.owed_bell = true;
            }
        }
    }

    /// Moves every outbox on, by loan or by message; to be called while this shard's own engine is put down.
    pub(crate) fn flush(
        &mut self,
        cells: &Cells,
        route: &Directory,
        net: &NetCounters,
        now: Seconds,
        reactor: &mut Reactor,
    ) {
        self.congested = false;
        for (index, peer) in self.peers.iter_mut().enumerate() {
            let Some(peer) = peer else { continue };
            let shard = ShardId(index as u16);
            let mut ring = std::mem::take(&mut peer.owed_bell);
            if !peer.outbox.is_empty() {
                let ops = peer.outbox.len() as u64;
                if peer.try_loan(
                    cells.of(shard),
                    shard,
                    self.me,
                    now,
                    &mut self.completed,
                    &mut self.seen,
                ) {
                    net.loans.add(1);
                    net.remote_ops.add(ops);
                    let empty = self.spare.pop().unwrap_or_default();
                    self.completed
                        .push(std::mem::replace(&mut peer.outbox, empty));
                } else if peer.under_way < QUEUE_BATCHES {
                    net.messages.add(1);
                    net.remote_ops.add(ops);
                    peer.send(self.spare.pop().unwrap_or_default());
                    ring = true;
                }
            }
            if ring
                && route.shard(shard).notify()
                && let Some(doorbell) = route.shard(shard).doorbell()
            {
                net.doorbells.add(1);
                reactor.doorbell(doorbell);
            }
        }
    }

    /// Collects the batches that have come back.
    pub(crate) fn collect(&mut self) {
        for peer in self.peers.iter_mut().flatten() {
            while let Some(batch) = peer.queues.replies.pop() {
                peer.under_way -= 1;
                self.completed.push(batch);
            }
        }
    }

    /// Takes the batches whose replies are to be delivered.
    pub(crate) fn take_completed(&mut self) -> Vec<BoxedBatch> {
        std::mem::take(&mut self.completed)
    }

    /// Takes delivered batches back, for use again.
    pub(crate) fn give_back(&mut self, mut batches: Vec<BoxedBatch>) {
        let room = SPARE_BATCHES.saturating_sub(self.spare.len());
        self.spare.extend(batches.drain(..).take(room));
        if self.completed.is_empty() {
            self.completed = batches;
        }
    }
}

impl Peer {
    /// Runs the outbox on the other shard's engine, if it can be borrowed.
    fn try_loan(
        &mut self,
        core: &Loanable<Core>,
        shard: ShardId,
        me: ShardId,
        now: Seconds,
        completed: &mut Vec<BoxedBatch>,
        seen: &mut Vec<Lines>,
    ) -> bool {
        if self.outbox.len() > LOAN_OPS_MAX
            || self.outbox.arena_bytes() > LOAN_BYTES_MAX
            || self.outbox.asking() > LOAN_ASKING_MAX
        {
            return false;
        }
        let Some(mut loan) = core.try_borrow() else {
            return false;
        };
        let core: &mut Core = &mut loan;
        core.observer.sync(&mut core.engine);
        let mut access = Access {
            engine: &mut core.engine,
            observer: &mut core.observer,
            shard,
            now,
            descriptor: NOBODY,
        };
        while let Some(mut earlier) = core.inbound[usize::from(me.0)].pop() {
            earlier.run(&mut access);
            self.under_way -= 1;
            completed.push(earlier);
        }
        self.outbox.run(&mut access);
        seen.extend(core.observer.take(&mut core.engine));
        true
    }

    fn send(&mut self, empty: BoxedBatch) {
        let batch = std::mem::replace(&mut self.outbox, empty);
        match self.queues.requests.push(batch) {
            Ok(()) => self.under_way += 1,
            // Cannot happen: the queue holds QUEUE_BATCHES. Were it full, the batch would simply wait.
            Err(batch) => self.outbox = batch,
        }
    }
}

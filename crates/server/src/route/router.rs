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
//! Gets read the other shard's memory instead (`wire/remote_read.rs`). Notes of these reads, from which the other
//! engine learns that its items were used, go the same way, before lookups that follow. If none follow, the notes go
//! now and then.
//!
//! Order: a borrower first runs its own messages that are still queued at B, so that one connection's operations on one
//! key take effect in the order they were sent.

use std::os::fd::RawFd;

use corecached_engine::{Seconds, StagedTicket};

use crate::base::counters::NetCounters;
use crate::ids::{ConnId, ReplyTo, ShardId};
use crate::lending::batch::Batch;
use crate::lending::core::Cores;
use crate::operation::access::Access;
use crate::operation::notes::Notes;
use crate::operation::op::{Op, ShardOp, Verb};
use crate::operation::reads::ReadLog;
use crate::operation::walk::WalkStep;
use crate::watch::Lines;
use crate::wire::Style;
use crate::wire::dump::Dump;

use super::empty_batches::EmptyBatches;
use super::peer::{LOAN_BYTES_MAX, Lender, LoanResults, NOBODY, Peer, PeerQueues};
use super::pushed::Pushed;
use super::sets::Sets;

/// With this many operations waiting for one shard, connections stop adding to them.
const OUTBOX_OPS_MAX: usize = 4096;
/// With this many bytes of values waiting for one shard, connections stop adding to them.
const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The queues and outboxes through which one shard reaches the others.
pub(crate) struct Router {
    /// The shard of this router.
    pub(super) me: ShardId,
    /// The shards for which there is something to do.
    pub(super) sets: Sets,
    /// Reads of other shards' items that have not been sorted out yet.
    pub(super) log: ReadLog,
    /// Short warm windows since the shards were last told of reads.
    pub(super) windows: u32,
    /// Whether the shards are to be told of reads without waiting for the end of a window.
    pub(super) tells: bool,
    /// Whether operations pile up for another shard.
    pub(super) congested: bool,
    /// The connection whose operations are being pushed; logs name it.
    pub(super) descriptor: RawFd,
    /// The number of the next emptying of the outboxes.
    pub(super) epoch: u64,
    /// By shard id; `None` for this shard itself.
    pub(super) peers: Vec<Option<Peer>>,
    /// Empty batches, to be used again.
    pub(super) empty_batches: EmptyBatches,
    /// What loans have left to be done.
    pub(super) loan_results: LoanResults,
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
            empty_batches: EmptyBatches::default(),
            loan_results: LoanResults::default(),
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
    pub(super) fn sort_reads(&mut self) {
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

    /// Sees to it that a shard is told, before an operation on it, of the reads that the operation's outcome depends
    /// on.
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
        (cores, net): (&Cores, &NetCounters),
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
            core: cores.of(to),
            shard: to,
            borrower: self.me,
            now,
        };
        let descriptor = self.descriptor;
        let has_run = peer.borrow(lender, &mut self.loan_results, |_, access| {
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
        std::mem::take(&mut self.loan_results.seen)
    }

    /// Adds an operation for another shard.
    pub(crate) fn push(&mut self, to: ShardId, op: &Op<'_>, style: &Style<'_>, reply_to: ReplyTo) {
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
        reply_to: ReplyTo,
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
        let batches = outboxes.chain(&self.loan_results.completed);
        let notes = self.peers.iter().flatten().map(|peer| &peer.notes);
        batches.map(|batch| batch.held_bytes()).sum::<usize>()
            + notes.map(Notes::held_bytes).sum::<usize>()
            + self.log.held_bytes()
            + self.empty_batches.held_bytes()
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

    /// Whether batches of other shards have been run since the outboxes were last moved on.
    #[inline]
    pub(crate) fn has_served(&self) -> bool {
        !self.sets.owed.is_empty()
    }
}

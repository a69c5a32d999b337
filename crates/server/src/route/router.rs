//! The way from one shard to the others: an outbox for each, emptied once a tick by a loan or, failing that, by a
//! message.
//!
//! ```text
//!  tick of shard A                         shard B
//!  ops for B -> outbox --try_borrow()--+-- yes: run here, on B's engine, replies at once
//!                                      +-- no:  push to B's queue (a doorbell only if B sleeps);
//!                                               B runs it in its next tick and pushes the batch back
//! ```
//!
//! Gets read the other shard's memory instead (`dialect/elsewhere.rs`). Notes of these reads, from which the other
//! engine learns that its items were used, go the same way, before the operations that follow. If no operations follow,
//! the notes go now and then.
//!
//! Order: a borrower first runs its own messages that are still queued at B, so that one connection's operations on one
//! key take effect in the order they were sent.

use std::os::fd::RawFd;

use corecached_engine::{KeyHash, Seconds, SharedReader, StagedTicket};
use corecached_mesh::Loanable;
use corecached_mesh::spsc::{Consumer, Producer};
use corecached_reactor::DoorbellTarget;

use crate::cell::access::Access;
use crate::cell::batch::{Batch, BoxedBatch};
use crate::cell::notes::Notes;
use crate::cell::op::{Op, ShardOp};
use crate::cell::walk::WalkStep;
use crate::dialect::Style;
use crate::dialect::dump::Dump;
use crate::ground::counters::NetCounters;
use crate::watch::Lines;

use super::directory::{Directory, ShardHandle};
use super::peers::PeerSet;
use super::pushed::Pushed;
use super::spare::Spares;

use crate::cell::core::{Cells, Core};
use crate::cell::{ConnId, ReplyTo, ShardId};

/// Batches that may be under way from one shard to another; further ones wait in the outbox.
pub(crate) const QUEUE_BATCHES: usize = 16;
/// An outbox with more operations goes by message, so that a loan stays short (some 50 us at 100 ns for an operation).
const LOAN_OPS_MAX: usize = 512;
/// An outbox with more bytes of values goes by message, since they are copied under the loan.
const LOAN_BYTES_MAX: usize = 128 * 1024;
/// An outbox with more requests for the memory of large values goes by message: each may take eight chunks, and evict
/// for them.
const LOAN_ASKING_MAX: usize = 2;
/// With this many operations waiting for one shard, connections stop adding to them.
const OUTBOX_OPS_MAX: usize = 4096;
/// With this many bytes of values waiting for one shard, connections stop adding to them.
const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Stands for operations of no connection.
const NOBODY: RawFd = -1;
/// With this many notes of uses, a shard is told of them without waiting for an operation or the end of the window.
const NOTES_MAX: usize = 32;

/// The ends of the queues between this shard and one other.
pub(crate) struct PeerQueues {
    /// Our requests to the other shard.
    pub(crate) requests: Producer<BoxedBatch>,
    /// Our batches, executed, on their way back.
    pub(crate) replies: Consumer<BoxedBatch>,
    /// The other shard's batches, executed by us, on their way back to it.
    pub(crate) answers: Producer<BoxedBatch>,
}

struct Peer {
    outbox: BoxedBatch,
    queues: PeerQueues,
    under_way: usize,
    /// Looks items up in the other shard's memory; `None` if that is not possible.
    reader: Option<SharedReader>,
    /// Notes of reads that the other shard has not been told of yet.
    notes: Notes,
    /// All operations pushed to the other shard in epochs before this one have been run.
    run_before: u64,
}

/// The queues and outboxes through which one shard reaches the others.
pub(crate) struct Router {
    me: ShardId,
    /// By shard id; `None` for this shard itself.
    peers: Vec<Option<Peer>>,
    spare: Spares,
    /// Batches whose replies are there, to be delivered to their connections.
    completed: Vec<BoxedBatch>,
    congested: bool,
    /// The connection whose operations are being pushed; logs name it.
    descriptor: RawFd,
    /// Lines for watchers, written under loans and to be published.
    seen: Vec<Lines>,
    /// The number of the next emptying of the outboxes.
    epoch: u64,
    sets: Sets,
}

/// The shards for which there is something to do, one set for each thing.
struct Sets {
    /// Shards whose outbox is not empty.
    loaded: PeerSet,
    /// Shards whose batches have been run here: they are owed a bell.
    owed: PeerSet,
    /// Shards that have not been told of the reads of their items.
    noted: PeerSet,
    /// Shards among `noted` for which there are many notes.
    much_noted: PeerSet,
    /// Shards to which batches of ours are on their way.
    awaited: PeerSet,
    /// A scratch set: the shards that are being served in this turn.
    now: PeerSet,
}

impl Sets {
    fn new(shards: usize) -> Sets {
        let none = || PeerSet::new(shards);
        Sets {
            loaded: none(),
            owed: none(),
            noted: none(),
            much_noted: none(),
            awaited: none(),
            now: none(),
        }
    }
}

impl Router {
    /// A router for shard `me`. `readers` are the readers of all shards' memory, by shard id.
    pub(crate) fn new(
        me: ShardId,
        queues: Vec<Option<PeerQueues>>,
        readers: &[Option<SharedReader>],
    ) -> Router {
        let peer = |(queues, reader): (Option<PeerQueues>, &Option<SharedReader>)| {
            queues.map(|queues| Peer {
                outbox: Box::default(),
                queues,
                under_way: 0,
                reader: reader.clone(),
                notes: Notes::default(),
                run_before: 0,
            })
        };
        Router {
            me,
            sets: Sets::new(queues.len()),
            peers: queues.into_iter().zip(readers).map(peer).collect(),
            spare: Spares::default(),
            completed: Vec::new(),
            congested: false,
            descriptor: NOBODY,
            seen: Vec::new(),
            epoch: 0,
        }
    }

    /// The epoch in which operations are pushed now, for [`Pushed::note`].
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    #[inline]
    fn peer(&self, shard: ShardId) -> Option<&Peer> {
        self.peers[usize::from(shard.0)].as_ref()
    }

    /// Whether operations of a connection on another shard may not have been run yet.
    #[inline]
    pub(crate) fn may_owe(&self, shard: ShardId, pushed: &Pushed) -> bool {
        self.peer(shard).is_some_and(|peer| {
            let owes = !peer.outbox.is_empty() || peer.under_way > 0;
            owes && pushed.is_after(shard, peer.run_before)
        })
    }

    /// The reader of another shard's memory, and the notes of the items that it has used.
    #[inline]
    pub(crate) fn reader(&mut self, shard: ShardId) -> Option<(&SharedReader, &mut Notes)> {
        let peer = self.peers[usize::from(shard.0)].as_mut()?;
        Some((peer.reader.as_ref()?, &mut peer.notes))
    }

    /// Notes that an item of another shard was read.
    #[inline]
    pub(crate) fn has_read(&mut self, shard: ShardId) {
        self.sets.noted.insert(shard);
        let notes = self.peer(shard).map_or(0, |peer| peer.notes.used());
        if notes >= NOTES_MAX {
            self.sets.much_noted.insert(shard);
        }
    }

    /// Prefetches the bucket of another shard's key.
    #[inline]
    pub(crate) fn prefetch(&self, shard: ShardId, hash: KeyHash) {
        if let Some(reader) = self.peer(shard).and_then(|peer| peer.reader.as_ref()) {
            reader.prefetch(hash);
        }
    }

    /// Prefetches the item of another shard's key whose bucket has been prefetched.
    #[inline]
    pub(crate) fn prefetch_item(&self, shard: ShardId, hash: KeyHash) {
        if let Some(reader) = self.peer(shard).and_then(|peer| peer.reader.as_ref()) {
            reader.prefetch_item(hash);
        }
    }

    /// Sets the connection for which operations are pushed from now on.
    #[inline]
    pub(crate) fn push_for(&mut self, descriptor: RawFd) {
        self.descriptor = descriptor;
    }

    /// Takes the lines for watchers that were written under loans.
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
        let batches = outboxes.chain(&self.completed);
        let notes = self.peers.iter().flatten().map(|peer| &peer.notes);
        batches.map(|batch| batch.held_bytes()).sum::<usize>()
            + notes.map(Notes::held_bytes).sum::<usize>()
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

    /// Moves every outbox on, by loan or by message; to be called while this shard's own engine is put down. At the end
    /// of a warm window, all shards are told of the reads of their items. `ring` rings a doorbell.
    pub(crate) fn flush(
        &mut self,
        (cells, route): (&Cells, &Directory),
        net: &NetCounters,
        now: Seconds,
        mut ring: impl FnMut(&DoorbellTarget),
        ends_window: bool,
    ) {
        self.congested = false;
        let sets = &mut self.sets;
        sets.now.extend(&sets.owed);
        sets.now.extend(&sets.loaded);
        let noted = match ends_window {
            true => &sets.noted,
            false => &sets.much_noted,
        };
        sets.now.extend(noted);
        while let Some(shard) = self.sets.now.pop() {
            let (core, handle) = (cells.of(shard), route.shard(shard));
            if self.flush_to(shard, (core, handle), net, now, ends_window)
                && handle.notify()
                && let Some(doorbell) = handle.doorbell()
            {
                net.doorbells.add(1);
                ring(doorbell);
            }
        }
        self.epoch += 1;
    }

    /// Moves one outbox on, with the notes of reads. Returns whether the shard is to be told that a batch has been
    /// pushed.
    fn flush_to(
        &mut self,
        shard: ShardId,
        (core, handle): (&Loanable<Core>, &ShardHandle),
        net: &NetCounters,
        now: Seconds,
        ends_window: bool,
    ) -> bool {
        let Some(peer) = &mut self.peers[usize::from(shard.0)] else {
            return false;
        };
        let sets = &mut self.sets;
        let mut rings = sets.owed.remove(shard);
        let ops = peer.outbox.len() as u64;
        let mut sends = false;
        if ops == 0 {
            let is_due = ends_window || peer.notes.used() >= NOTES_MAX;
            // Notes can wait, but not for ever.
            sends = is_due && !peer.tell(core, now) && ends_window;
        } else if peer.try_loan(
            core,
            shard,
            self.me,
            now,
            &mut self.completed,
            &mut self.seen,
        ) {
            net.loans.add(1);
            peer.run_before = self.epoch + 1;
            let empty = self.spare.take();
            self.completed
                .push(std::mem::replace(&mut peer.outbox, empty));
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
            sets.much_noted.remove(shard);
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
                self.completed.push(batch);
            }
            if peer.under_way == 0 {
                self.sets.awaited.remove(shard);
            }
        }
        std::mem::take(&mut self.completed)
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
        if self.completed.is_empty() {
            self.completed = batches;
        }
    }
}

impl Peer {
    /// Runs the outbox on the other shard's engine, if that can be borrowed.
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
        self.notes.tell(access.engine, access.observer, now);
        while let Some(mut earlier) = core.inbound[usize::from(me.0)].pop() {
            earlier.run(&mut access);
            self.under_way -= 1;
            completed.push(earlier);
        }
        self.outbox.run(&mut access);
        seen.extend(core.observer.take(&mut core.engine));
        true
    }

    /// Tells the other shard's engine of the reads of its items; returns false if it cannot be borrowed.
    fn tell(&mut self, core: &Loanable<Core>, now: Seconds) -> bool {
        if self.notes.is_empty() {
            return true;
        }
        let Some(mut loan) = core.try_borrow() else {
            return false;
        };
        let core: &mut Core = &mut loan;
        self.notes.tell(&mut core.engine, &mut core.observer, now);
        true
    }

    fn send(&mut self, empty: BoxedBatch, epoch: u64) {
        let mut batch = std::mem::replace(&mut self.outbox, empty);
        batch.epoch = epoch;
        std::mem::swap(&mut batch.notes, &mut self.notes);
        match self.queues.requests.push(batch) {
            Ok(()) => self.under_way += 1,
            // Cannot happen: the queue holds QUEUE_BATCHES. Were it full, the batch would simply wait.
            Err(batch) => self.outbox = batch,
        }
    }
}

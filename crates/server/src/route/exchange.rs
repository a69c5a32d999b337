//! The router's part of the end of a turn: other shards' batches are run, outboxes are emptied, and what has come back
//! is taken.

use corecached_engine::Seconds;

use crate::base::counters::NetCounters;
use crate::ids::ShardId;
use crate::lending::batch::BoxedBatch;
use crate::lending::core::{Core, Cores};
use crate::operation::access::Access;

use super::directory::{Directory, ShardHandle};
use super::peer::{Lender, NOBODY};
use super::router::Router;

/// Batches that may be under way from one shard to another; further ones wait in the outbox.
pub(crate) const QUEUE_BATCHES: usize = 16;
/// Reads are told to their shards after this many short warm windows (16 ms), if the log is not full before.
const LOG_WINDOWS: u32 = 8;

impl Router {
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

    /// Moves every outbox on, by loan or by message; to be called while this shard's own engine is put down. `windows`
    /// is the number of short warm windows that have passed since the last turn: every few of them, all shards are told
    /// of the reads of their items. `ring` rings the doorbell of a shard that sleeps.
    pub(crate) fn flush(
        &mut self,
        (cores, route): (&Cores, &Directory),
        net: &NetCounters,
        now: Seconds,
        mut ring: impl FnMut(ShardId),
        windows: u32,
    ) {
        self.congested = false;
        let tells = self.tells_now(windows);
        let sets = &mut self.sets;
        sets.now.extend(&sets.owed);
        sets.now.extend(&sets.loaded);
        if tells {
            sets.now.extend(&sets.noted);
        }
        while let Some(shard) = self.sets.now.pop() {
            let handle = route.shard(shard);
            let lender = Lender {
                core: cores.of(shard),
                shard,
                borrower: self.me,
                now,
            };
            if self.flush_to(lender, handle, net, tells) && handle.notify() {
                net.doorbells.add(1);
                ring(shard);
            }
        }
        self.epoch += 1;
    }

    /// Whether the shards are to be told of reads now. If so, the log has been sorted out.
    fn tells_now(&mut self, windows: u32) -> bool {
        self.windows += windows;
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
        } else if peer.try_loan(lender, &mut self.loan_results) {
            net.loans.add(1);
            peer.run_before = self.epoch + 1;
            let empty = self.empty_batches.take();
            let done = std::mem::replace(&mut peer.outbox, empty);
            self.loan_results.completed.push(done);
        } else {
            sends = true;
        }
        if sends && peer.under_way < QUEUE_BATCHES {
            net.messages.add(1);
            peer.send(self.empty_batches.take(), self.epoch);
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
                self.loan_results.completed.push(batch);
            }
            if peer.under_way == 0 {
                self.sets.awaited.remove(shard);
            }
        }
        std::mem::take(&mut self.loan_results.completed)
    }

    /// Frees batches, since there is no traffic.
    pub(crate) fn shrink(&mut self) {
        self.empty_batches.shrink();
    }

    /// Takes delivered batches back, for use again.
    pub(crate) fn give_back(&mut self, mut batches: Vec<BoxedBatch>) {
        for batch in batches.drain(..) {
            self.empty_batches.give(batch);
        }
        if self.loan_results.completed.is_empty() {
            self.loan_results.completed = batches;
        }
    }
}

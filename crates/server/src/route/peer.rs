//! One other shard, as a router sees it: the operations that wait for it, the queues to it and back, and what it has
//! not been told of yet.

use std::os::fd::RawFd;

use corecached_engine::Seconds;
use corecached_mesh::Loanable;
use corecached_mesh::spsc::{Consumer, Producer};

use crate::ids::ShardId;
use crate::lending::batch::{Batch, BoxedBatch};
use crate::lending::core::Core;
use crate::operation::access::Access;
use crate::operation::notes::Notes;
use crate::watch::Lines;

/// Stands for operations of no connection.
pub(super) const NOBODY: RawFd = -1;
/// An outbox with more operations goes by message, so that a loan stays short (some 50 us at 100 ns for an operation).
const LOAN_OPS_MAX: usize = 512;
/// More bytes of values than this go by message, since they are copied under the loan.
pub(super) const LOAN_BYTES_MAX: usize = 128 * 1024;
/// An outbox with more requests for the memory of large values goes by message: each may take eight chunks, and evict
/// for them.
const LOAN_ASKING_MAX: usize = 2;

/// The ends of the queues between this shard and one other.
pub(crate) struct PeerQueues {
    /// Our requests to the other shard.
    pub(crate) requests: Producer<BoxedBatch>,
    /// Our batches, executed, on their way back.
    pub(crate) replies: Consumer<BoxedBatch>,
    /// The other shard's batches, executed by us, on their way back to it.
    pub(crate) answers: Producer<BoxedBatch>,
}

/// One other shard.
pub(super) struct Peer {
    /// Operations that wait for the shard.
    pub(super) outbox: BoxedBatch,
    /// The queues between this shard and the other.
    pub(super) queues: PeerQueues,
    /// Number of batches that were sent and have not come back.
    pub(super) under_way: usize,
    /// Notes of reads that the shard has not been told of yet.
    pub(super) notes: Notes,
    /// All operations pushed to the shard in epochs before this one have been run.
    pub(super) run_before: u64,
}

/// Another shard's core, and the shard that may borrow it.
#[derive(Clone, Copy)]
pub(super) struct Lender<'a> {
    /// The core.
    pub(super) core: &'a Loanable<Core>,
    /// The shard that the core belongs to.
    pub(super) shard: ShardId,
    /// The shard that borrows.
    pub(super) borrower: ShardId,
    /// The server's clock.
    pub(super) now: Seconds,
}

/// What loans leave behind.
#[derive(Default)]
pub(super) struct LoanResults {
    /// Batches that have been run, with answers for connections.
    pub(super) completed: Vec<BoxedBatch>,
    /// Lines for watchers.
    pub(super) seen: Vec<Lines>,
}

impl Peer {
    /// A shard to which nothing was sent yet.
    pub(super) fn new(queues: PeerQueues) -> Peer {
        Peer {
            outbox: Box::default(),
            queues,
            under_way: 0,
            notes: Notes::default(),
            run_before: 0,
        }
    }

    /// Runs the outbox on the other shard's engine, if the loan would be short and the engine can be borrowed.
    pub(super) fn try_loan(&mut self, lender: Lender<'_>, loan_results: &mut LoanResults) -> bool {
        let is_short = self.outbox.len() <= LOAN_OPS_MAX
            && self.outbox.arena_bytes() <= LOAN_BYTES_MAX
            && self.outbox.asking() <= LOAN_ASKING_MAX;
        is_short && self.borrow(lender, loan_results, |outbox, access| outbox.run(access))
    }

    /// Borrows the other shard's engine, tells it of reads, runs all batches that were sent earlier, and then `run`.
    /// Returns false, and does nothing, if the engine cannot be borrowed.
    #[inline]
    pub(super) fn borrow(
        &mut self,
        lender: Lender<'_>,
        loan_results: &mut LoanResults,
        run: impl FnOnce(&mut Batch, &mut Access<'_>),
    ) -> bool {
        let Lender {
            shard,
            borrower,
            now,
            ..
        } = lender;
        let Some(mut loan) = lender.core.try_borrow() else {
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
        while self.under_way > 0
            && let Some(mut earlier) = core.inbound[usize::from(borrower.0)].pop()
        {
            earlier.run(&mut access);
            self.under_way -= 1;
            loan_results.completed.push(earlier);
        }
        run(&mut self.outbox, &mut access);
        loan_results
            .seen
            .extend(core.observer.take(&mut core.engine));
        true
    }

    /// Tells the other shard's engine of the reads of its items; returns false if it cannot be borrowed.
    pub(super) fn tell(&mut self, lender: Lender<'_>) -> bool {
        if self.notes.is_empty() {
            return true;
        }
        let Some(mut loan) = lender.core.try_borrow() else {
            return false;
        };
        let core: &mut Core = &mut loan;
        self.notes
            .tell(&mut core.engine, &mut core.observer, lender.now);
        true
    }

    /// Sends the outbox with the notes, and puts `empty` in its place.
    pub(super) fn send(&mut self, empty: BoxedBatch, epoch: u64) {
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

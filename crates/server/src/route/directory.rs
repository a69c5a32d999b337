//! The way to every shard, for all threads: its bell, and its inbox for rare messages.
//!
//! ```text
//!   a peer pushes a batch --> notify --> asleep? the peer's ring rings the doorbell
//!   any thread has a message --> post --> inbox, and the waker
//!   any thread wants something looked at --> wake
//! ```
//!
//! A shard that is parked and has no items has nothing but these to wake it, since its upkeep does so only to look for
//! dead items. Why no batch is left in its queue all the same:
//!
//! * A peer pushes, then sets a flag, then looks whether the owner sleeps. The owner says that it sleeps, then looks at
//!   the flag. So the owner sees the flag, or the peer sees that it has to ring (`mesh/src/doorstep.rs`).
//! * The owner takes the flag only right before a turn that looks at all queues, so none stays behind a flag that was
//!   taken: a shard that has been woken and could sleep in its ring before that turn only ends its sleep.
//! * A peer's doorbell goes to the kernel with the peer's next turn, which it makes or submits before it sleeps itself;
//!   it does not park before the kernel has taken all that it queued (`reactor/src/park.rs`). One that fails for want
//!   of memory is rung again.
//! * A doorbell is a completion in the owner's ring: it ends a wait there, and while the shard is parked it signals the
//!   eventfd on which the executor wakes it.
//! * Nobody pushes before all shards can be rung: they begin to serve together.
//!
//! `crates/simulate` runs shards without timers that park and sleep, and ends in a deadlock if one is not woken.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use corecached_engine::KeyHash;
use corecached_mesh::{Doorstep, step};
use corecached_reactor::{DoorbellTarget, Waker};

use crate::ids::ShardId;

use super::control::Control;
use super::peers::PeerSet;
use super::stage::{Stage, StageCell};

/// The ways to all shards, by shard id.
pub(crate) struct Directory(Vec<ShardHandle>);

impl Directory {
    /// The ways to `shards` shards, none of which can be woken yet.
    pub(crate) fn new(shards: usize) -> Directory {
        Directory((0..shards).map(|_| ShardHandle::new(shards)).collect())
    }

    /// Number of shards.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names of all shards.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.0.len() as u16).map(ShardId)
    }

    /// The way to a shard.
    #[inline]
    pub(crate) fn shard(&self, id: ShardId) -> &ShardHandle {
        &self.0[usize::from(id.0)]
    }

    /// The shard that owns keys of this hash: `(hash >> 32) * shards >> 32`, as `stats shards` says.
    #[inline]
    pub(crate) fn owner_of(&self, hash: KeyHash) -> ShardId {
        ShardId((((hash.0 >> 32) * self.0.len() as u64) >> 32) as u16)
    }

    /// Makes the shards that wait for room to accept connections look again.
    pub(crate) fn tell_of_room(&self) {
        for shard in &self.0 {
            shard.post(Control::RoomForConnections);
        }
    }

    /// Makes every shard's upkeep look for dead items.
    pub(crate) fn call_for_crawl(&self) {
        for shard in &self.0 {
            shard.crawl_wanted.store(true, Ordering::Release);
            shard.wake();
        }
    }

    /// Makes all shards look at their inboxes.
    pub(crate) fn wake_all(&self) {
        for shard in &self.0 {
            shard.wake();
        }
    }
}

/// The way to one shard.
pub(crate) struct ShardHandle {
    /// The ways to wake the shard; set once its ring runs.
    links: OnceLock<Links>,
    /// Whether a crawl for dead items is asked for; the shard's upkeep does it.
    crawl_wanted: AtomicBool,
    /// Whether the shard sleeps, and whether a peer has pushed a batch.
    door: Doorstep,
    /// The peers that have pushed a batch to be run.
    senders: Box<[AtomicU64]>,
    inbox: Mutex<Vec<Control>>,
    has_control: AtomicBool,
    stage: StageCell,
}

/// The ways to wake a running shard.
pub(crate) struct Links {
    /// For a peer's ring.
    pub(crate) doorbell: DoorbellTarget,
    /// For any thread.
    pub(crate) waker: Waker,
}

/// What can be seen of a shard from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShardStatus {
    /// It has announced that it sleeps, and nobody has rung since.
    pub(crate) is_asleep: bool,
    /// A peer has pushed a batch since the shard last looked.
    pub(crate) has_mail: bool,
    /// A control message waits.
    pub(crate) has_control: bool,
    /// The number of peers whose batches wait to be run.
    pub(crate) senders: u32,
}

impl ShardHandle {
    /// The way to one of `shards` shards.
    fn new(shards: usize) -> ShardHandle {
        ShardHandle {
            links: OnceLock::new(),
            crawl_wanted: AtomicBool::new(false),
            door: Doorstep::new(),
            senders: (0..PeerSet::words(shards))
                .map(|_| AtomicU64::new(0))
                .collect(),
            inbox: Mutex::new(Vec::new()),
            has_control: AtomicBool::new(false),
            stage: StageCell::new(),
        }
    }

    /// To be called by the owner: its ring runs, and can be woken by `links`.
    pub(crate) fn attach(&self, links: Links) {
        let is_first = self.links.set(links).is_ok();
        debug_assert!(is_first, "a shard starts once");
    }

    /// The doorbell that a peer's ring rings, once the shard runs.
    #[inline]
    pub(crate) fn doorbell(&self) -> Option<&DoorbellTarget> {
        self.links.get().map(|links| &links.doorbell)
    }

    /// Whether a crawl for dead items is asked for.
    #[inline]
    pub(crate) fn is_crawl_wanted(&self) -> bool {
        self.crawl_wanted.load(Ordering::Relaxed)
    }

    /// To be called by the owner: returns whether a crawl is asked for, which begins now.
    pub(crate) fn take_crawl_wanted(&self) -> bool {
        self.crawl_wanted.swap(false, Ordering::Acquire)
    }

    /// To be called by a peer after pushing a batch that is to be run, and before [`Self::notify`]: makes the owner
    /// look at this peer's queue.
    pub(crate) fn sent_by(&self, peer: ShardId) {
        let (word, bit) = PeerSet::place_of(peer);
        step::point();
        self.senders[word].fetch_or(bit, Ordering::Release);
    }

    /// To be called by the owner: adds the peers that have pushed a batch since the last call to `into`.
    #[inline]
    pub(crate) fn take_senders(&self, into: &mut PeerSet) {
        for (index, word) in self.senders.iter().enumerate() {
            step::point();
            if word.load(Ordering::Relaxed) != 0 {
                into.add_word(index, word.swap(0, Ordering::Acquire));
            }
        }
    }

    /// To be called by a peer after pushing a batch: returns whether the shard sleeps, so that the caller has to ring.
    #[must_use = "whoever gets true must ring, or the shard sleeps on"]
    pub(crate) fn notify(&self) -> bool {
        self.door.notify()
    }

    /// To be called by the owner between two turns: enters the kernel by `enter`, which sleeps there until something
    /// comes if it is told so, which is only if `may_sleep`.
    #[inline]
    pub(crate) fn enter_kernel<T>(&self, may_sleep: bool, enter: impl FnOnce(bool) -> T) -> T {
        let sleeps = may_sleep && self.try_sleep();
        let entered = enter(sleeps);
        self.awake();
        entered
    }

    /// To be called by the owner: announces that it goes to sleep. Returns `false` if a peer has pushed something
    /// meanwhile.
    pub(crate) fn try_sleep(&self) -> bool {
        self.door.try_sleep()
    }

    /// To be called by the owner: it no longer sleeps, and looks at its queues in its next turn. What peers have pushed
    /// keeps it from sleeping before.
    pub(crate) fn end_sleep(&self) {
        self.door.end_sleep();
    }

    /// It is awake, and looks at its queues after this call.
    fn awake(&self) {
        self.door.awake();
    }

    /// To be called by the owner: it has reached this stage.
    pub(crate) fn reaches(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// The stage that the shard has reached.
    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// What can be seen from outside: whether the shard sleeps, and what waits for it. For reports.
    pub(crate) fn status(&self) -> ShardStatus {
        let senders = self.senders.iter();
        ShardStatus {
            is_asleep: self.door.is_asleep(),
            has_mail: self.door.has_mail(),
            has_control: self.has_control.load(Ordering::Relaxed),
            senders: senders
                .map(|word| word.load(Ordering::Relaxed).count_ones())
                .sum(),
        }
    }

    /// Sends a control message.
    pub(crate) fn post(&self, message: Control) {
        self.inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        self.has_control.store(true, Ordering::Release);
        self.wake();
    }

    /// Takes the control messages that have come.
    pub(crate) fn take_control(&self) -> Vec<Control> {
        if !self.has_control.load(Ordering::Relaxed)
            || !self.has_control.swap(false, Ordering::Acquire)
        {
            return Vec::new();
        }
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the shard look at its inbox.
    pub(crate) fn wake(&self) {
        if let Some(links) = self.links.get() {
            links.waker.wake();
        }
    }
}

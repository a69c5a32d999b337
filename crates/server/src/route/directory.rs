//! The way to every shard, for all threads: its engine when it is to be had, its bell, and its inbox for rare messages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use corecached_mesh::{Bell, Loanable};
use corecached_reactor::{DoorbellTarget, Waker};

use crate::cell::core::Core;
use crate::ground::counters::NetCounters;
use crate::memory::conns::ConnMemory;
use crate::memory::notice::Notice;

use super::control::Control;

/// What the others may use of a shard.
pub(crate) struct ShardHandle {
    /// Its engine, when it is to be had.
    pub(crate) core: Arc<Loanable<Core>>,
    /// Its ring, once it runs.
    pub(crate) links: OnceLock<Links>,
    /// Its counters.
    pub(crate) net: NetCounters,
    /// What its upkeep tells the others' of its memory.
    pub(crate) memory: Notice,
    /// What its connections hold.
    pub(crate) conn_memory: ConnMemory,
    /// A crawl for dead items is asked for; its upkeep does it.
    pub(crate) crawl_wanted: AtomicBool,
    /// Whether it sleeps.
    bell: Bell,
    /// Set by peers that have pushed a batch.
    has_mail: AtomicBool,
    inbox: Mutex<Vec<Control>>,
    has_control: AtomicBool,
}

/// How a running shard is woken.
pub(crate) struct Links {
    /// By a peer's ring.
    pub(crate) doorbell: DoorbellTarget,
    /// By any thread.
    pub(crate) waker: Waker,
}

impl ShardHandle {
    /// A handle for the shard behind `core`.
    pub(crate) fn new(core: Arc<Loanable<Core>>) -> ShardHandle {
        ShardHandle {
            core,
            links: OnceLock::new(),
            net: NetCounters::default(),
            memory: Notice::new(),
            conn_memory: ConnMemory::default(),
            crawl_wanted: AtomicBool::new(false),
            bell: Bell::new(),
            has_mail: AtomicBool::new(false),
            inbox: Mutex::new(Vec::new()),
            has_control: AtomicBool::new(false),
        }
    }

    /// Peer, after pushing a batch: whether the shard sleeps and the caller has to ring.
    #[must_use = "whoever gets true must ring, or the shard sleeps on"]
    pub(crate) fn notify(&self) -> bool {
        self.has_mail.store(true, Ordering::Release);
        self.bell.needs_ring()
    }

    /// Owner: announces that it goes to sleep; `false` if a peer has pushed something meanwhile.
    pub(crate) fn try_sleep(&self) -> bool {
        self.bell.announce_sleep();
        let sleeps = !self.has_mail.load(Ordering::Relaxed);
        if !sleeps {
            self.bell.awake();
        }
        sleeps
    }

    /// Owner: it is awake, and looks at its queues after this.
    pub(crate) fn awake(&self) {
        self.bell.awake();
        if self.has_mail.load(Ordering::Relaxed) {
            // Acquires what the peer pushed before it set the flag; a flag set later stays for the next `try_sleep`.
            self.has_mail.swap(false, Ordering::Acquire);
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

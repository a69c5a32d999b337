//! The sockets that a shard accepts from, and who waits before them while there are as many connections as `-c` allows.
//!
//! ```text
//!   open --- a connection over the limit ---> deaf: accepting has stopped, those that had been accepted wait
//!     ^                                         |
//!     +---- all are in, and there is room ------+
//! ```

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corecached_reactor::Token;

use crate::admission::Admission;
use crate::listen::{ListenerId, Transport};

/// Tokens of listeners have this bit, which is no part of a connection id.
const LISTENER_TOKEN: u64 = 1 << 55;

/// A listening socket of one shard.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The socket.
    pub(crate) fd: Arc<OwnedFd>,
    /// Its number, the same on every shard.
    pub(crate) id: ListenerId,
}

impl Listener {
    /// Its descriptor, for messages and statistics.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The token of its ring operations.
    pub(super) fn token(&self) -> Token {
        Token(LISTENER_TOKEN | u64::from(self.id.0))
    }
}

/// The listener that a token stands for.
pub(super) fn listener_id(token: Token) -> ListenerId {
    debug_assert!(token.0 & LISTENER_TOKEN != 0, "only listeners accept");
    ListenerId(token.0 as u16)
}

/// The sockets of one shard, whether it accepts from them, and who waits until it does again.
#[derive(Debug)]
pub(super) struct Gate {
    listeners: Vec<Listener>,
    /// When accepting stopped because of `-c`.
    deaf_since: Option<Instant>,
    /// Accepted, but over the limit `-c`: they wait until one of the others closes. The kernel may have accepted several before
    /// it heard of the stop; the rest waits in the backlog.
    waiting: VecDeque<(ListenerId, OwnedFd)>,
}

impl Gate {
    /// Open, with these sockets.
    pub(super) fn new(listeners: Vec<Listener>) -> Gate {
        Gate {
            listeners,
            deaf_since: None,
            waiting: VecDeque::new(),
        }
    }

    /// All sockets.
    pub(super) fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The socket with this number.
    pub(super) fn listener(&self, id: ListenerId) -> &Listener {
        &self.listeners[id.index()]
    }

    /// Descriptor and token of each socket that accepts connections.
    pub(super) fn streams(&self, admission: &Admission) -> Vec<(Arc<OwnedFd>, Token)> {
        let is_stream = |id| admission.listener(id).transport != Transport::Udp;
        let listeners = self.listeners.iter();
        listeners
            .filter(|listener| is_stream(listener.id))
            .map(|listener| (Arc::clone(&listener.fd), listener.token()))
            .collect()
    }

    /// Keeps a connection waiting; true if accepting has to stop now.
    #[must_use]
    pub(super) fn waits(&mut self, listener: ListenerId, fd: OwnedFd) -> bool {
        self.waiting.push_back((listener, fd));
        let is_first = self.deaf_since.is_none();
        self.deaf_since.get_or_insert_with(Instant::now);
        is_first
    }

    /// Whether accepting has stopped.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf_since.is_some()
    }

    /// The one that has waited longest.
    pub(super) fn next_waiting(&mut self) -> Option<(ListenerId, OwnedFd)> {
        self.waiting.pop_front()
    }

    /// Accepting goes on; says how long it had stopped.
    pub(super) fn hears_again(&mut self) -> Duration {
        self.deaf_since
            .take()
            .map_or(Duration::ZERO, |since| since.elapsed())
    }
}

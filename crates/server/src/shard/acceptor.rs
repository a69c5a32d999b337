//! The sockets that a shard accepts from, and the connections that wait while there are as many as `-c` allows.
//!
//! ```text
//!   open --- a connection over the limit ---> paused: accepting has stopped, those that had been accepted wait
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

/// Tokens of listeners have this bit, which is not part of a connection id.
const LISTENER_TOKEN: u64 = 1 << 55;

/// A listening socket of one shard.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The socket.
    pub(crate) fd: Arc<OwnedFd>,
    /// The socket's number, the same on every shard.
    pub(crate) id: ListenerId,
}

impl Listener {
    /// The socket's descriptor, for messages and statistics.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The token of the socket's ring operations.
    pub(super) fn token(&self) -> Token {
        Token(LISTENER_TOKEN | u64::from(self.id.0))
    }
}

/// The listener that a token stands for.
pub(super) fn listener_id(token: Token) -> ListenerId {
    debug_assert!(token.0 & LISTENER_TOKEN != 0, "only listeners accept");
    ListenerId(token.0 as u16)
}

/// The sockets of one shard, whether it accepts from them, and the connections that wait until it does again.
#[derive(Debug)]
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// When accepting stopped because of `-c`.
    paused_since: Option<Instant>,
    /// Connections that were accepted although they exceed the limit `-c`: they wait until another connection closes.
    /// The kernel may have accepted several before it heard of the stop; further ones wait in the backlog.
    waiting: VecDeque<(ListenerId, OwnedFd)>,
}

impl Acceptor {
    /// Accepts from these sockets.
    pub(super) fn new(listeners: Vec<Listener>) -> Acceptor {
        Acceptor {
            listeners,
            paused_since: None,
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

    /// Keeps a connection waiting; returns true if accepting has to stop now.
    #[must_use]
    pub(super) fn keep_waiting(&mut self, listener: ListenerId, fd: OwnedFd) -> bool {
        self.waiting.push_back((listener, fd));
        let is_first = self.paused_since.is_none();
        self.paused_since.get_or_insert_with(Instant::now);
        is_first
    }

    /// Whether accepting has stopped.
    pub(super) fn is_paused(&self) -> bool {
        self.paused_since.is_some()
    }

    /// Takes the connection that has waited longest.
    pub(super) fn next_waiting(&mut self) -> Option<(ListenerId, OwnedFd)> {
        self.waiting.pop_front()
    }

    /// Accepting goes on; returns for how long it had stopped.
    pub(super) fn resume(&mut self) -> Duration {
        self.paused_since
            .take()
            .map_or(Duration::ZERO, |since| since.elapsed())
    }
}

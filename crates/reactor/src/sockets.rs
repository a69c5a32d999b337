//! The reactor's record of each connection: it is looked at only when something ends, runs dry or is closed.
//!
//! ```text
//!            recv()               cancel_recv()             last completion
//!    Idle ----------> Armed ------------------> Stopping ------------------> Idle
//!                     |   ^
//!       out of buffers|   | buffers are back
//!                     v   |
//!                      Dry
//!
//!            poll()               readable
//!    Idle ----------> Polled ------------------> Idle          (cancelled like Armed)
//! ```
//! A connection that is idle, with no send waiting and nothing to settle, is forgotten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::fd::RawFd;

use crate::send_id::SendId;
use crate::token::Token;

/// Where the receiving side of a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecvPhase {
    /// Nothing is submitted.
    Idle,
    /// A multishot receive is with the kernel: one last completion will come.
    Armed,
    /// A wait for bytes is with the kernel: one completion will come.
    Polled,
    /// The operation has been asked to end; with `resume` a receive starts again after that.
    Stopping { resume: bool },
    /// The receive ended because there were no buffers, and waits for buffers; nothing is submitted.
    Dry,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) fd: RawFd,
    pub(crate) recv: RecvPhase,
    /// A send that waits for room.
    pub(crate) waiting_send: Option<SendId>,
    pub(crate) is_closing: bool,
    /// The connection was closed in this turn: a send queued before may still come up short, and must then see that its
    /// stream is closed.
    is_unsettled: bool,
}

impl Socket {
    fn new(fd: RawFd) -> Self {
        Self {
            fd,
            recv: RecvPhase::Idle,
            waiting_send: None,
            is_closing: false,
            is_unsettled: false,
        }
    }

    /// True while there is something to remember: the kernel owes a completion, or may owe one, or the connection waits
    /// for buffers.
    fn is_outstanding(&self) -> bool {
        self.recv != RecvPhase::Idle || self.waiting_send.is_some() || self.is_unsettled
    }
}

/// Tokens are the caller's own numbers, so mixing bits is enough.
#[derive(Default)]
pub(crate) struct TokenHasher(u64);

impl Hasher for TokenHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // 2^64 divided by the golden ratio; the high bits are the good ones and hashbrown uses both ends.
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// All connections that have something outstanding.
#[derive(Default)]
pub(crate) struct Sockets {
    by_token: HashMap<Token, Socket, BuildHasherDefault<TokenHasher>>,
    /// The number of sockets with `is_closing`; while it is zero the receive path needs no lookup.
    closing_count: usize,
    /// Connections closed since the last [`Sockets::settle`].
    closed: Vec<Token>,
}

impl Sockets {
    /// The record of connection `token`, made if there is none.
    pub(crate) fn entry(&mut self, fd: RawFd, token: Token) -> &mut Socket {
        self.by_token
            .entry(token)
            .or_insert_with(|| Socket::new(fd))
    }

    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut Socket> {
        self.by_token.get_mut(&token)
    }

    /// True between `close` and the last completion.
    pub(crate) fn is_closing(&self, token: Token) -> bool {
        self.closing_count > 0
            && self
                .by_token
                .get(&token)
                .is_some_and(|socket| socket.is_closing)
    }

    /// Marks the connection as closing.
    pub(crate) fn close(&mut self, fd: RawFd, token: Token) -> &mut Socket {
        let socket = self
            .by_token
            .entry(token)
            .or_insert_with(|| Socket::new(fd));
        if !socket.is_closing {
            socket.is_closing = true;
            socket.is_unsettled = true;
            self.closing_count += 1;
            self.closed.push(token);
        }
        socket
    }

    /// Forgets the connection if nothing is outstanding.
    pub(crate) fn retire(&mut self, token: Token) {
        if let Entry::Occupied(entry) = self.by_token.entry(token)
            && !entry.get().is_outstanding()
        {
            self.closing_count -= usize::from(entry.remove().is_closing);
        }
    }

    /// Forgets the connections closed since the last call, now that their last sends are known to have ended.
    pub(crate) fn settle(&mut self) {
        while let Some(token) = self.closed.pop() {
            if let Some(socket) = self.by_token.get_mut(&token) {
                socket.is_unsettled = false;
            }
            self.retire(token);
        }
    }

    /// The number of connections that are known.
    pub(crate) fn len(&self) -> usize {
        self.by_token.len()
    }
}

//! A connection's socket in the care of a reactor.
//!
//! The reactor names sockets to the kernel by their descriptors, also long after the caller's request: for the rest of
//! a short send, or a receive that starts again. So no descriptor may be closed without the reactor's knowledge, since
//! its number may be another socket's at once. A [`Stream`] owns its descriptor, and while the reactor lives only
//! [`crate::Reactor::close`] closes it.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

use crate::send_id::SendId;
use crate::token::Token;

/// Descriptors of streams that were dropped instead of closed: they stay open as long as the reactor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Care(Rc<RefCell<Vec<OwnedFd>>>);

impl Care {
    /// Whether both belong to the same reactor.
    pub(crate) fn is(&self, other: &Care) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// A connection: its socket, its name, and its last send. [`crate::Reactor::open`] makes a stream; give it back with
/// [`crate::Reactor::close`].
#[derive(Debug)]
pub struct Stream {
    /// `None` once the stream is closed.
    fd: Option<OwnedFd>,
    pub(crate) token: Token,
    /// One send at a time: the next may begin when this one has ended.
    pub(crate) last_send: Option<SendId>,
    pub(crate) care: Care,
}

impl Stream {
    pub(crate) fn new(fd: OwnedFd, token: Token, care: Care) -> Stream {
        Stream {
            fd: Some(fd),
            token,
            last_send: None,
            care,
        }
    }

    /// A socket without a reactor, for code that works on connections and is run without one. A reactor refuses it.
    pub fn unattached(fd: OwnedFd) -> Stream {
        Stream::new(fd, Token(0), Care::default())
    }

    /// The caller's name for the connection.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Takes the descriptor out, to be closed.
    pub(crate) fn into_fd(mut self) -> OwnedFd {
        self.fd.take().expect("only this takes it")
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("open until it is consumed").as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(fd) = self.fd.take() {
            self.care.0.borrow_mut().push(fd);
        }
    }
}

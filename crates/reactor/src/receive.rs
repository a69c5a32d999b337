//! The receiving side of connections: arming, running dry, ending.
//!
//! When no buffer is free the kernel ends a multishot receive with `ENOBUFS`; the bytes stay in the socket. Such a
//! connection waits in a queue, and is armed again as soon as there is a buffer. A caller with room of its own for much
//! input waits for it with a poll instead, and reads by itself.

use std::collections::VecDeque;
use std::os::fd::RawFd;

use crate::driver::Driver;
use crate::event::Event;
use crate::send_id::SendId;
use crate::sockets::{RecvPhase, Sockets};
use crate::token::Token;
use crate::user_data::{Kind, UserData};

/// All connections of a reactor.
#[derive(Default)]
pub(crate) struct Receivers {
    sockets: Sockets,
    /// Connections that ran dry, first come first served. An entry whose connection is no longer dry is stale.
    dry: VecDeque<Token>,
}

impl Receivers {
    /// Receives from `fd` as `token`.
    pub(crate) fn start(&mut self, driver: &mut Driver, fd: RawFd, token: Token) {
        let socket = self.sockets.entry(fd, token);
        match socket.recv {
            RecvPhase::Idle => {
                socket.recv = RecvPhase::Armed;
                driver.recv(fd, UserData::token(Kind::Recv, token));
            }
            RecvPhase::Stopping { .. } => socket.recv = RecvPhase::Stopping { resume: true },
            RecvPhase::Armed | RecvPhase::Dry | RecvPhase::Polled => {}
        }
    }

    /// Waits for bytes to read from `fd`, for the caller to read them. Nothing else may be receiving.
    pub(crate) fn poll(&mut self, driver: &mut Driver, fd: RawFd, token: Token) {
        let socket = self.sockets.entry(fd, token);
        debug_assert_eq!(socket.recv, RecvPhase::Idle, "one receive at a time");
        if socket.recv == RecvPhase::Idle {
            socket.recv = RecvPhase::Polled;
            driver.poll(fd, UserData::token(Kind::Poll, token));
        }
    }

    /// The poll of `token` has completed.
    pub(crate) fn polled(&mut self, driver: &mut Driver, token: Token) -> Option<Event> {
        let socket = self.sockets.get_mut(token)?;
        let (fd, was, is_closing) = (socket.fd, socket.recv, socket.is_closing);
        socket.recv = RecvPhase::Idle;
        let event = match was {
            _ if is_closing => None,
            RecvPhase::Stopping { resume } => {
                if resume {
                    self.start(driver, fd, token);
                }
                Some(Event::RecvStopped { token })
            }
            _ => Some(Event::Readable { token }),
        };
        self.sockets.retire(token);
        event
    }

    /// Asks the receive of `token` to end. True if the receive has ended already, so that no completion will report its
    /// end.
    pub(crate) fn cancel(&mut self, driver: &mut Driver, token: Token) -> bool {
        let Some(socket) = self.sockets.get_mut(token) else {
            return false;
        };
        match socket.recv {
            RecvPhase::Armed | RecvPhase::Polled => {
                let kind = match socket.recv {
                    RecvPhase::Polled => Kind::Poll,
                    _ => Kind::Recv,
                };
                socket.recv = RecvPhase::Stopping { resume: false };
                driver.cancel(socket.fd, UserData::token(kind, token));
                false
            }
            RecvPhase::Stopping { .. } => {
                socket.recv = RecvPhase::Stopping { resume: false };
                false
            }
            RecvPhase::Dry => {
                socket.recv = RecvPhase::Idle;
                self.sockets.retire(token);
                true
            }
            RecvPhase::Idle => false,
        }
    }

    /// The connection is being closed: cancels its receive. Returns a send that waits for room.
    pub(crate) fn close(&mut self, driver: &mut Driver, fd: RawFd, token: Token) -> Option<SendId> {
        self.sockets.close(fd, token);
        self.cancel(driver, token);
        self.sockets
            .get_mut(token)
            .and_then(|socket| socket.waiting_send)
    }

    /// The receive of `token` has ended with `result`. Returns the event that the caller is told, if any.
    pub(crate) fn ended(
        &mut self,
        driver: &mut Driver,
        token: Token,
        result: i32,
    ) -> Option<Event> {
        let socket = self.sockets.get_mut(token)?;
        let (fd, was, is_closing) = (socket.fd, socket.recv, socket.is_closing);
        socket.recv = RecvPhase::Idle;
        let event = match (was, -result) {
            _ if is_closing => None,
            (_, 0) => Some(Event::Eof { token }),
            (RecvPhase::Stopping { resume }, errno) if errno < 0 || is_harmless(errno) => {
                if resume {
                    self.start(driver, fd, token);
                }
                Some(Event::RecvStopped { token })
            }
            (_, libc::ENOBUFS) => {
                socket.recv = RecvPhase::Dry;
                self.dry.push_back(token);
                None
            }
            (_, errno) if errno < 0 || is_harmless(errno) => {
                self.start(driver, fd, token);
                None
            }
            (_, errno) => Some(Event::RecvFailed { token, errno }),
        };
        self.sockets.retire(token);
        event
    }

    /// Arms connections that ran dry, as many as there are buffers. True if some are left although buffers are too.
    pub(crate) fn rearm(&mut self, driver: &mut Driver, available: u16) -> bool {
        let mut credit = available;
        while credit > 0 {
            let Some(token) = self.dry.pop_front() else {
                return false;
            };
            let Some(socket) = self.sockets.get_mut(token) else {
                continue;
            };
            if socket.recv == RecvPhase::Dry {
                socket.recv = RecvPhase::Armed;
                driver.recv(socket.fd, UserData::token(Kind::Recv, token));
                credit -= 1;
            }
        }
        available > 0 && !self.dry.is_empty()
    }

    /// Notes that the send `send` of a connection waits for room.
    pub(crate) fn set_waiting_send(&mut self, fd: RawFd, token: Token, send: SendId) {
        self.sockets.entry(fd, token).waiting_send = Some(send);
    }

    /// The send of `token` has ended.
    pub(crate) fn clear_waiting_send(&mut self, token: Token) {
        if let Some(socket) = self.sockets.get_mut(token) {
            socket.waiting_send = None;
            self.sockets.retire(token);
        }
    }

    /// True after the caller closed `token`, until its last completion.
    pub(crate) fn is_closing(&self, token: Token) -> bool {
        self.sockets.is_closing(token)
    }

    /// Forgets the closed connections whose last sends have ended: see [`Sockets::settle`].
    pub(crate) fn settle(&mut self) {
        self.sockets.settle();
    }

    /// The number of connections that are remembered.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }
}

/// Errors after which a receive may simply be started again.
fn is_harmless(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECANCELED | libc::ENOBUFS | libc::EINTR | libc::EAGAIN
    )
}

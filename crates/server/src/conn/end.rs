//! The end of a connection: its requests are answered, and the memory that it holds is given back.

use corecached_protocol::event::CloseReason;
use corecached_reactor::Insert;

use crate::operation::access::Access;
use crate::route::router::Router;
use crate::shared::Shared;

use super::run_state::RunState;
use super::{Conn, Phase};

impl Conn {
    /// The peer has sent its last byte. The requests that it has sent before are still answered.
    pub(crate) fn input_ended(&mut self) {
        self.reads.end();
        if !self.handshake_waits() {
            self.run_state.close_if_open();
        }
    }

    /// Ends the connection once the replies to the requests that it has already received are sent.
    pub(crate) fn end(&mut self) {
        self.close_event.reason = Some(CloseReason::Shutdown);
        self.run_state = RunState::Closing;
    }

    /// Whether all replies are there that the connection will ever have.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_closing() && self.gather.is_none() && self.replies.outstanding() == 0
    }

    /// Whether the connection should be closed now: it ends, and nothing is left to send.
    pub(crate) fn is_finished(&self) -> bool {
        if !self.is_closing() || self.send_is_under_way() {
            return false;
        }
        match &self.secure {
            Some(secure) if secure.has_failed() => secure.is_finished(),
            Some(secure) if !secure.is_finished() => false,
            _ => self.is_answered() && !self.replies.has_ready(),
        }
    }

    /// Whether the end of the connection concerns others: see [`Conn::abandon`].
    pub(crate) fn must_be_abandoned(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Command | Phase::Swallow(_) | Phase::Keys(_)
        )
    }

    /// Gives back the memory that the connection holds in the engine; returns the values in slab memory that will not
    /// be sent.
    pub(crate) fn abandon(
        &mut self,
        access: &mut Access<'_>,
        router: &mut Router,
        shared: &Shared,
    ) -> Vec<Insert> {
        match std::mem::take(&mut self.phase) {
            Phase::Value(upload) => upload.abort(access, router),
            Phase::Walk(walk) => walk.abandon(shared),
            Phase::Watching(watcher) => shared.watch.remove(&watcher),
            _ => {}
        }
        let mut unsent = self.replies.abandon();
        if let Some(secure) = &mut self.secure {
            unsent.extend(secure.abandon());
        }
        unsent
    }
}

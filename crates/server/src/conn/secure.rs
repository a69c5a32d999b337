//! The encrypted side of a connection: when its handshake has its turn, and its replies, which are encrypted after the
//! rest of `conn` has made them.

use corecached_reactor::Outgoing;

use super::run_state::RunState;
use super::{Conn, Sealing};

/// When received bytes are to be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeTurn {
    /// At once: they are requests, or too many to be kept.
    Now,
    /// In the handshake's turn; the connection is to be put on the list of those that wait for their turn.
    ToBeQueued,
    /// In the handshake's turn; the connection waits for it already.
    Queued,
}

impl Conn {
    /// Whether the connection speaks TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// When received bytes are to be worked on. Bytes of a handshake are kept until its turn comes, but not without
    /// limit: a client may send large requests right after its last message.
    #[inline]
    pub(crate) fn handshake_turn(&mut self, bytes: &[u8]) -> HandshakeTurn {
        let Some(secure) = &mut self.secure else {
            return HandshakeTurn::Now;
        };
        if !secure.is_handshaking() || !secure.hold(bytes) {
            return HandshakeTurn::Now;
        }
        match std::mem::replace(&mut secure.queued, true) {
            true => HandshakeTurn::Queued,
            false => HandshakeTurn::ToBeQueued,
        }
    }

    /// Whether bytes that the connection has received wait for the handshake's turn.
    pub(super) fn handshake_waits(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.queued)
    }

    /// The next send, encrypted into `out`; otherwise as [`Conn::take_output`].
    pub(crate) fn take_sealed(
        &mut self,
        mut out: Vec<u8>,
        sealing: &mut Sealing,
    ) -> Option<Outgoing> {
        if let Some(secure) = &mut self.secure
            && !self.sending.is_under_way()
        {
            let closing = self.run_state == RunState::Closing
                && self.gather.is_none()
                && self.replies.outstanding() == 0;
            secure.seal(&mut out, &mut self.replies, closing, sealing);
            self.sealing_bytes = secure.plain_bytes();
            if secure.has_failed() {
                self.run_state = RunState::Closing;
            }
        }
        let outgoing = sealing.send_or_keep(out)?;
        self.note_sending(&outgoing);
        Some(outgoing)
    }

    /// Whether TLS has more to send than fitted into the last send.
    pub(crate) fn has_more_to_seal(&self) -> bool {
        self.sealing_bytes > 0 || (self.is_secure() && self.replies.has_ready())
    }
}

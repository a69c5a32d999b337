//! The encrypted side of a connection: what it receives is decrypted before, and what it has to say is encrypted after all
//! that the rest of `conn` does, which knows nothing of it.

use corecached_protocol::event::{self, CloseReason};
use corecached_protocol::text::Streams;
use corecached_protocol::{Codec, reply};
use corecached_reactor::Outgoing;
use corecached_tls::{Established, SessionError};
use tracing::{debug, info};

use super::course::Course;
use super::{Conn, Cx, Phase, Sealing, Secure, Stop, steps};

/// Bytes before what a TLS record holds: its type, version and length.
const RECORD_HEAD_BYTES: usize = 5;

/// Whether a connection begins as one that speaks TLS: with a record of type 22, major version 3. No text command does.
pub(super) fn may_be_client_hello(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(RECORD_HEAD_BYTES)];
    matches!(head, [22] | [22, 3, ..]) && !head.ends_with(b"\n")
}

/// A session goes on with what it has kept: nothing has been received since.
const NOTHING_NEW: &[u8] = &[];

/// When received bytes are to be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeTurn {
    /// At once: they are requests, or too many to be kept.
    Now,
    /// In the handshake's turn; the connection is to be put on the list of those who wait for that.
    ToBeQueued,
    /// In the handshake's turn, for which it waits already.
    Queued,
}

impl Conn {
    /// TLS at a plain address is answered as any other unknown command: its client then says that this is not TLS. The rest
    /// of the record is dropped, once its length is known.
    pub(super) fn answer_client_hello(&mut self, bytes: &[u8], cx: &mut Cx<'_>) -> (usize, Stop) {
        let &[first, _, _, high, low, ..] = bytes else {
            return (0, Stop::Dry);
        };
        if self.choose_codec(first, cx) != Some(Codec::Text) {
            return (0, Stop::Close);
        }
        self.say(reply::ERROR, cx);
        let record = u64::from(u16::from_be_bytes([high, low]));
        if record > 0 {
            self.phase = Phase::Swallow(record);
        }
        let (used, stop) = steps::consume(self, Codec::Text, &bytes[RECORD_HEAD_BYTES..], cx);
        (RECORD_HEAD_BYTES + used, stop)
    }

    /// Whether it speaks TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Works on received bytes. `scratch` is a buffer for those that are decrypted.
    #[inline]
    pub(crate) fn receive(&mut self, bytes: &[u8], scratch: &mut Vec<u8>, cx: &mut Cx<'_>) {
        match self.secure.take() {
            Some(secure) => self.decrypt(secure, bytes, scratch, cx),
            None => {
                cx.net.bytes_read.add(bytes.len() as u64);
                self.receive_plain(bytes, cx);
            }
        }
    }

    /// Its turn among the handshakes has come: works on the messages that it has kept.
    pub(crate) fn go_on_with_handshake(&mut self, scratch: &mut Vec<u8>, cx: &mut Cx<'_>) {
        if let Some(mut secure) = self.secure.take() {
            secure.queued = false;
            self.decrypt(secure, NOTHING_NEW, scratch, cx);
        }
    }

    /// Works on what a session has kept, and on `bytes` after it. While it does, the connection does not have it.
    fn decrypt(
        &mut self,
        mut secure: Box<Secure>,
        bytes: &[u8],
        scratch: &mut Vec<u8>,
        cx: &mut Cx<'_>,
    ) {
        self.last_activity = cx.access.now;
        let was_handshaking = secure.is_handshaking();
        let result = secure.receive(bytes, scratch, |plain| {
            cx.net.bytes_read.add(plain.len() as u64);
            self.receive_plain(plain, cx);
        });
        let established = secure.session().established();
        if was_handshaking && established.is_some() {
            debug!("<{} {}", self.raw_fd(), secure.session().describe());
        }
        if was_handshaking && established == Some(Established::Full) {
            cx.net.ssl_new_sessions.add(1);
        }
        let peer_has_closed = secure.session().peer_has_closed();
        self.secure = Some(secure);
        match result {
            Err(error) => self.tls_failed(&error, cx),
            // The end may have come while the handshake waited for its turn.
            Ok(()) if peer_has_closed || self.reads.have_ended() => self.input_ended(),
            Ok(()) => {}
        }
    }

    /// When received bytes are to be worked on. Those of a handshake are kept until its turn comes, but not without limit: a
    /// client may send large requests right after its last message.
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

    /// Whether something that it received waits for the handshake's turn.
    pub(super) fn handshake_waits(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.queued)
    }

    /// The place where every failure of TLS is known, with its reason: `watch connevents` has its `conntlserr` from here.
    fn tls_failed(&mut self, error: &SessionError, cx: &mut Cx<'_>) {
        let counter = match error {
            SessionError::NotTls | SessionError::Handshake(_) => &cx.net.ssl_handshake_errors,
            _ => &cx.net.ssl_proto_errors,
        };
        counter.add(1);
        info!("<{} TLS: {error}", self.raw_fd());
        let (descriptor, log) = (self.raw_fd(), &mut cx.access.observer.log);
        log.add(Streams::CONNEVENTS, |out| {
            event::tls_error(out, descriptor, &error.to_string());
        });
        self.parting.reason.get_or_insert(CloseReason::Error);
        self.course = Course::Closing;
    }

    /// The next send, encrypted in `out`; as [`Conn::take_output`] otherwise.
    pub(crate) fn take_sealed(
        &mut self,
        mut out: Vec<u8>,
        sealing: &mut Sealing,
    ) -> Option<Outgoing> {
        if let Some(secure) = &mut self.secure
            && !self.sending.is_under_way()
        {
            let closing = self.course == Course::Closing
                && self.gather.is_none()
                && self.replies.outstanding() == 0;
            secure.seal(&mut out, &mut self.replies, closing, sealing);
            self.sealing_bytes = secure.plain_bytes();
            if secure.has_failed() {
                self.course = Course::Closing;
            }
        }
        let outgoing = sealing.send_or_keep(out)?;
        self.note_sending(&outgoing);
        Some(outgoing)
    }

    /// Whether TLS has more to send than fitted the last send.
    pub(crate) fn has_more_to_seal(&self) -> bool {
        self.sealing_bytes > 0 || (self.is_secure() && self.replies.has_ready())
    }
}

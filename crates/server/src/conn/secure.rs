//! The encrypted side of a connection. Received bytes are decrypted before the rest of `conn` works on them, and
//! replies are encrypted after it has made them; the rest of `conn` knows nothing of TLS.

use corecached_protocol::event::{self, CloseReason};
use corecached_protocol::text::Streams;
use corecached_protocol::{Codec, reply};
use corecached_reactor::Outgoing;
use corecached_tls::{Established, SessionError};
use tracing::{debug, info};

use super::course::Course;
use super::{Conn, Cx, Phase, Sealing, Secure, Stop, steps};

/// Bytes before the content of a TLS record: its type, version and length.
const RECORD_HEAD_BYTES: usize = 5;

/// Whether `bytes` begin as a connection that speaks TLS: with a record of type 22, major version 3. No text command
/// begins so.
pub(super) fn may_be_client_hello(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(RECORD_HEAD_BYTES)];
    matches!(head, [22] | [22, 3, ..]) && !head.ends_with(b"\n")
}

/// Passed when nothing new has been received: the session goes on with the bytes that it has kept.
const NOTHING_NEW: &[u8] = &[];

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
    /// Answers TLS at a plain address as any other unknown command, from which the client learns that this is not TLS.
    /// The rest of the record is dropped once its length is known.
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

    /// Whether the connection speaks TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Works on received bytes. `scratch` is a buffer for decrypted bytes.
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

    /// The connection's turn among the handshakes has come: works on the messages that it has kept.
    pub(crate) fn go_on_with_handshake(&mut self, scratch: &mut Vec<u8>, cx: &mut Cx<'_>) {
        if let Some(mut secure) = self.secure.take() {
            secure.queued = false;
            self.decrypt(secure, NOTHING_NEW, scratch, cx);
        }
    }

    /// Works on the bytes that the session has kept, and then on `bytes`. Meanwhile the session is taken out of the
    /// connection.
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
            // The peer may have ended the stream while the handshake waited for its turn.
            Ok(()) if peer_has_closed || self.reads.have_ended() => self.input_ended(),
            Ok(()) => {}
        }
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

    /// Notes a failure of TLS. Every failure passes here with its reason: `watch connevents` has its `conntlserr` from
    /// here.
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

    /// The next send, encrypted into `out`; otherwise as [`Conn::take_output`].
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

    /// Whether TLS has more to send than fitted into the last send.
    pub(crate) fn has_more_to_seal(&self) -> bool {
        self.sealing_bytes > 0 || (self.is_secure() && self.replies.has_ready())
    }
}

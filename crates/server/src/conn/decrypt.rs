//! Received bytes of an encrypted connection: they are decrypted before the rest of `conn` works on them, which knows
//! nothing of TLS.

use corecached_protocol::event::{self, CloseReason};
use corecached_protocol::text::Streams;
use corecached_tls::{Established, SessionError};
use tracing::{debug, info};

use super::run_state::RunState;
use super::{Conn, Cx, Secure};

/// Passed when nothing new has been received: the session goes on with the bytes that it has kept.
const NOTHING_NEW: &[u8] = &[];

impl Conn {
    /// The connection's turn among the handshakes has come: works on the messages that it has kept.
    pub(crate) fn go_on_with_handshake(&mut self, scratch: &mut Vec<u8>, cx: &mut Cx<'_>) {
        if let Some(mut secure) = self.secure.take() {
            secure.queued = false;
            self.decrypt(secure, NOTHING_NEW, scratch, cx);
        }
    }

    /// Works on the bytes that the session has kept, and then on `bytes`. Meanwhile the session is taken out of the
    /// connection.
    pub(super) fn decrypt(
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
        self.close_event.reason.get_or_insert(CloseReason::Error);
        self.run_state = RunState::Closing;
    }
}

//! The encrypted side of one connection.

use corecached_reactor::{Insert, Outgoing};
use corecached_tls::{Session, SessionError};

use crate::replies::Replies;

use super::Plain;

/// A send has at most this many bytes of ciphertext, and one record more: as much as a pooled send buffer holds. The
/// rest of a large reply stays where it is, mostly in slab memory, until the send is done.
const SEALED_BYTES_MAX: usize = 44 * 1024;
/// Most bytes of handshake messages that may wait to be sent. No honest client makes more wait.
const MESSAGES_BYTES_MAX: usize = 64 * 1024;

/// TLS of one connection. It keeps no buffer while the connection is idle.
#[derive(Debug)]
pub(crate) struct Secure {
    session: Session,
    /// Messages of the handshake, and alerts: they are sent before everything else.
    messages: Vec<u8>,
    /// Replies that are being encrypted.
    plain: Plain,
    /// Whether the session has failed, so that it can neither encrypt nor decrypt any more.
    failed: bool,
    /// Whether the connection waits for its turn to go on with the handshake.
    pub(crate) queued: bool,
}

/// Buffers that sealing needs, and things that it leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Sealing {
    /// A buffer in which the plaintext of a record is joined.
    pub(crate) stage: Vec<u8>,
    /// Plaintext buffers that are empty again.
    pub(crate) buffers: Vec<Vec<u8>>,
    /// Values that are encrypted and need not be pinned any longer.
    pub(crate) inserts: Vec<Insert>,
    /// Bytes of plaintext that were sealed.
    pub(crate) bytes: usize,
}

impl Secure {
    /// TLS of a new connection.
    pub(crate) fn new(session: Session) -> Secure {
        Secure {
            session,
            messages: Vec::new(),
            plain: Plain::default(),
            failed: false,
            queued: false,
        }
    }

    /// Whether received bytes are still part of the handshake.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking() && !self.failed
    }

    /// Keeps received bytes until the handshake's turn comes; returns `false` if they are too many to wait.
    pub(crate) fn hold(&mut self, ciphertext: &[u8]) -> bool {
        self.session.hold(ciphertext)
    }

    /// Decrypts received bytes and gives the plaintext to `plain`.
    pub(crate) fn receive(
        &mut self,
        ciphertext: &[u8],
        scratch: &mut Vec<u8>,
        plain: impl FnMut(&[u8]),
    ) -> Result<(), SessionError> {
        let result = self
            .session
            .receive(ciphertext, scratch, &mut self.messages, plain);
        let result = result.and(match self.messages.len() {
            0..=MESSAGES_BYTES_MAX => Ok(()),
            _ => Err(SessionError::TooLong),
        });
        result.inspect_err(|_| self.failed = true)
    }

    /// The session, for statistics and events about it.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Bytes of replies that are being encrypted and are not yet in a send.
    pub(crate) fn plain_bytes(&self) -> usize {
        self.plain.left()
    }

    /// Bytes of heap memory held, without those that the TLS library holds for each session.
    pub(crate) fn held_bytes(&self) -> usize {
        self.session.held_bytes() + self.messages.capacity() + self.plain.held_bytes()
    }

    /// Fills `out` with the bytes to be sent now: messages, then replies as records, then the goodbye if `closing`.
    pub(crate) fn seal(
        &mut self,
        out: &mut Vec<u8>,
        replies: &mut Replies,
        closing: bool,
        sealing: &mut Sealing,
    ) {
        if !self.messages.is_empty() {
            out.append(&mut self.messages);
            self.messages = Vec::new();
        }
        if self.failed || self.session.is_handshaking() {
            return;
        }
        while out.len() < SEALED_BYTES_MAX {
            if self.plain.left() == 0 {
                self.finish_plain(sealing);
                if !replies.has_ready() {
                    break;
                }
                self.plain = Plain::new(replies.take_ready());
            }
            let session = &mut self.session;
            let sealed = self.plain.next_record(&mut sealing.stage, |record| {
                sealing.bytes += record.len();
                session.encrypt(record, out)
            });
            if sealed.is_err() {
                self.failed = true;
                return;
            }
        }
        if self.plain.left() == 0 {
            self.finish_plain(sealing);
            if closing && !replies.has_ready() && !self.session.is_closed() {
                self.session.close(out);
            }
        }
    }

    /// Releases the buffer and the inserts of the encrypted replies.
    fn finish_plain(&mut self, sealing: &mut Sealing) {
        let (buffer, mut inserts) = std::mem::take(&mut self.plain).into_parts();
        sealing.inserts.append(&mut inserts);
        if buffer.capacity() > 0 {
            sealing.buffers.push(buffer);
        }
    }

    /// Whether everything is sent that can be sent: if so, a connection that is closing may be closed.
    pub(crate) fn is_finished(&self) -> bool {
        let said_goodbye = self.failed || self.session.is_handshaking() || self.session.is_closed();
        self.messages.is_empty() && said_goodbye
    }

    /// Whether the session has ended with an error, so that replies cannot be sent.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The values that will not be sent.
    pub(crate) fn abandon(&mut self) -> Vec<Insert> {
        std::mem::take(&mut self.plain).into_parts().1
    }
}

/// Ciphertext, ready to be sent.
impl Sealing {
    /// `out` as a send, or back among the buffers if there is nothing in it.
    pub(crate) fn send_or_keep(&mut self, out: Vec<u8>) -> Option<Outgoing> {
        if out.is_empty() {
            self.buffers.push(out);
            return None;
        }
        Some(Outgoing::from(out))
    }
}

//! A connection's TLS between the outbox and the ring, and between the ring and the parser.
//!
//! ```text
//!   outbox --encrypt--> out --> ring            requests: counted as sent once they are encrypted
//!   parser <--receive-- scratch <-- ring        replies: counted as come when their bytes came, not decrypted
//! ```

use crate::net::tls::ClientSession;
use corecached_tls::{RECORD_BYTES_MAX, SessionError};

/// Bytes that encryption adds to a record, and a message of TLS's own before it.
const OVERHEAD_BYTES: usize = 256;

/// The room that `plain` bytes take when they are encrypted.
pub(super) fn encrypted_bytes(plain: usize) -> usize {
    plain + (plain / RECORD_BYTES_MAX + 1) * OVERHEAD_BYTES
}

/// A connection's TLS.
#[derive(Debug)]
pub(crate) struct Secure {
    session: Box<ClientSession>,
    /// Ciphertext for the ring.
    pub(crate) out: Vec<u8>,
}

impl Secure {
    /// TLS with room for `bytes` of ciphertext.
    pub(super) fn new(session: Box<ClientSession>, bytes: usize) -> Self {
        Self {
            session,
            out: Vec::with_capacity(bytes),
        }
    }

    /// Encrypts and empties `plain`.
    pub(super) fn encrypt(&mut self, plain: &mut Vec<u8>) -> Result<(), SessionError> {
        if plain.is_empty() {
            return Ok(());
        }
        let encrypted = self.session.encrypt(plain, &mut self.out);
        plain.clear();
        encrypted
    }

    /// Decrypts, and gives `plain` the bytes of each record.
    #[inline]
    pub(super) fn receive(
        &mut self,
        ciphertext: &[u8],
        scratch: &mut Vec<u8>,
        plain: impl FnMut(&[u8]),
    ) -> Result<(), SessionError> {
        self.session
            .receive(ciphertext, scratch, &mut self.out, plain)
    }

    /// Whether the server has said that it sends nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.session.peer_has_closed()
    }

    /// Adds the goodbye to what is sent.
    pub(super) fn close(&mut self) {
        self.session.close(&mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_encryption_adds() {
        assert_eq!(encrypted_bytes(0), OVERHEAD_BYTES);
        assert_eq!(encrypted_bytes(100), 100 + OVERHEAD_BYTES);
        let four = 4 * RECORD_BYTES_MAX;
        assert_eq!(encrypted_bytes(four), four + 5 * OVERHEAD_BYTES);
    }
}

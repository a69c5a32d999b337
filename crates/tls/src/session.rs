//! One connection's TLS: ciphertext in, plaintext out; plaintext in, ciphertext out.
//!
//! rustls' unbuffered interface is used: rustls' buffered interface keeps 4 KiB for each idle connection, and queues of
//! its own, which would have to be bounded beside those of the server. Here an idle session keeps no buffer at all:
//!
//! ```text
//!   received --+-- partial (the beginning of a record, or of a handshake message in several records)
//!              v
//!           scratch, which all sessions of a thread share --records--> plaintext, handed on at once
//!              '-- what is left --> partial
//! ```

use std::fmt;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig};

use crate::ciphers;
use crate::error::SessionError;
use crate::side::{Client, Server, Side, sealed};

/// Plaintext bytes of the largest record.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Bytes that a record adds to its plaintext: header, nonce or content type, tag; and a key update that may precede the
/// record.
const RECORD_OVERHEAD_BYTES: usize = 128;
/// The largest handshake message that rustls joins out of records, and one record more.
const PARTIAL_BYTES_MAX: usize = 64 * 1024 + RECORD_BYTES_MAX + 2048;

/// The way in which a handshake has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Established {
    /// The handshake was a full one, with certificates.
    Full,
    /// The handshake resumed an earlier session.
    Resumed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No bytes have been received yet.
    Fresh,
    Handshake,
    Open,
    /// An error has ended it; nothing is received or encrypted any more.
    Failed,
}

/// One connection's TLS, on the server's side or on the client's.
pub struct Session<S: Side = Server> {
    tls: S::Tls,
    /// Received, but not a whole record yet.
    partial: Vec<u8>,
    phase: Phase,
    peer_closed: bool,
    close_sent: bool,
}

impl Session<Server> {
    /// A session that awaits its client's first message.
    pub fn new(config: &Arc<ServerConfig>) -> Option<Self> {
        UnbufferedServerConnection::new(Arc::clone(config))
            .ok()
            .map(Self::over)
    }
}

impl Session<Client> {
    /// A session that has its first message ready.
    pub(crate) fn connect(
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        UnbufferedClientConnection::new(Arc::clone(config), name).map(Self::over)
    }
}

impl<S: Side> Session<S> {
    fn over(tls: S::Tls) -> Self {
        Session {
            tls,
            partial: Vec::new(),
            phase: Phase::Fresh,
            peer_closed: false,
            close_sent: false,
        }
    }

    /// Whether the handshake is not over.
    pub fn is_handshaking(&self) -> bool {
        matches!(self.phase, Phase::Fresh | Phase::Handshake)
    }

    /// Whether the peer has said that it sends nothing more.
    pub fn peer_has_closed(&self) -> bool {
        self.peer_closed
    }

    /// Bytes of memory for received bytes that are not a whole record yet.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity()
    }

    /// How the handshake has ended, once it has.
    pub fn established(&self) -> Option<Established> {
        if self.phase != Phase::Open {
            return None;
        }
        match self.tls.handshake_kind()? {
            HandshakeKind::Resumed => Some(Established::Resumed),
            _ => Some(Established::Full),
        }
    }

    /// Version and cipher suite, for a log.
    pub fn describe(&self) -> String {
        let version = self.tls.protocol_version();
        let suite = self.tls.negotiated_cipher_suite();
        format!(
            "{:?} {:?}",
            version.unwrap_or(rustls::ProtocolVersion::Unknown(0)),
            suite.map(|suite| suite.suite())
        )
    }

    /// The version of TLS in words, once it is known.
    pub fn version(&self) -> Option<&'static str> {
        Some(match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_2 => "TLS 1.2",
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            _ => "TLS",
        })
    }

    /// The cipher suite by OpenSSL's name, once it is known.
    pub fn cipher(&self) -> Option<&'static str> {
        ciphers::name(self.tls.negotiated_cipher_suite()?)
    }

    /// Keeps ciphertext for the next [`Session::receive`], which may be called later and without further bytes. `false`
    /// if more bytes would have to wait than any message of a handshake has; these bytes are not kept, and `receive`
    /// must be called with them.
    #[must_use = "what is not kept has to go to receive"]
    pub fn hold(&mut self, ciphertext: &[u8]) -> bool {
        let has_room = self.partial.len() + ciphertext.len() <= PARTIAL_BYTES_MAX;
        if has_room {
            self.partial.extend_from_slice(ciphertext);
        }
        has_room
    }

    /// Works on ciphertext. Plaintext goes to `plain`, a record at a time. Bytes to be sent are appended to `out`, also
    /// after an error. `scratch` is a buffer that sessions share; its contents do not matter.
    ///
    /// # Errors
    /// When the session is over; the connection should be closed once `out` is sent. Any further call does nothing.
    pub fn receive(
        &mut self,
        ciphertext: &[u8],
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
        plain: impl FnMut(&[u8]),
    ) -> Result<(), SessionError> {
        if self.phase == Phase::Failed {
            return Ok(());
        }
        scratch.clear();
        scratch.extend_from_slice(&self.partial);
        scratch.extend_from_slice(ciphertext);
        let result = self.process(scratch, out, plain);
        match result {
            Ok(used) => self.keep_partial(&scratch[used..]),
            Err(error) => {
                self.phase = Phase::Failed;
                self.partial = Vec::new();
                Err(error)
            }
        }
    }

    /// Works on `bytes` and returns how many are used up.
    fn process(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        mut plain: impl FnMut(&[u8]),
    ) -> Result<usize, SessionError> {
        if self.phase == Phase::Fresh {
            match bytes.first() {
                None if S::SPEAKS_FIRST => {}
                None => return Ok(0),
                Some(&byte) if S::may_begin_with(byte) => self.phase = Phase::Handshake,
                Some(_) => return Err(SessionError::NotTls),
            }
        }
        let mut used = 0;
        loop {
            let UnbufferedStatus { discard, state } = S::process(&mut self.tls, &mut bytes[used..]);
            let mut is_dry = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => plain(record.payload),
                            Err(error) => return Err(self.broken(error, out)),
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(_) => is_dry = true,
                Err(error) => return Err(self.broken(error, out)),
            }
            used += discard;
            if is_dry {
                if self.phase == Phase::Handshake && !self.tls.is_handshaking() {
                    self.phase = Phase::Open;
                }
                return Ok(used);
            }
        }
    }

    /// Takes the alert that rustls has prepared, and names the error.
    fn broken(&mut self, error: rustls::Error, out: &mut Vec<u8>) -> SessionError {
        // As long as there is something to send, rustls does not look at its input, which is no longer valid.
        while self.tls.wants_write() {
            match S::process(&mut self.tls, &mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                _ => break,
            }
        }
        match self.is_handshaking() {
            true => SessionError::Handshake(error),
            false => SessionError::Protocol(error),
        }
    }

    fn keep_partial(&mut self, rest: &[u8]) -> Result<(), SessionError> {
        if rest.len() > PARTIAL_BYTES_MAX {
            self.phase = Phase::Failed;
            return Err(SessionError::TooLong);
        }
        if rest.is_empty() && !S::KEEPS_BUFFER {
            // An idle session of a server keeps no buffer.
            self.partial = Vec::new();
        } else {
            self.partial.clear();
            self.partial.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Appends `plain` to `out` as records. To be called after the handshake only.
    ///
    /// # Errors
    /// If the session has failed, or has used up its keys.
    pub fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        if self.phase != Phase::Open || self.close_sent {
            return Err(SessionError::Exhausted);
        }
        let records = plain.len().div_ceil(RECORD_BYTES_MAX);
        let room = plain.len() + records * RECORD_OVERHEAD_BYTES;
        self.write(out, room, |traffic, room| traffic.encrypt(plain, room))
    }

    /// Appends the goodbye to `out`. Nothing can be encrypted after it.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        if self.phase == Phase::Open && !self.close_sent {
            // If the goodbye cannot be written, the peer takes the end for a broken connection, which it then is.
            let _ = self.write(out, RECORD_OVERHEAD_BYTES, |traffic, room| {
                traffic.queue_close_notify(room)
            });
        }
        self.close_sent = true;
    }

    /// Whether [`Session::close`] has been called.
    pub fn is_closed(&self) -> bool {
        self.close_sent
    }

    /// Lets `write` fill `room` bytes at the end of `out`, more if it asks for more.
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        mut room: usize,
        write: impl Fn(
            &mut WriteTraffic<'_, <S as sealed::Side>::Data>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> Result<(), SessionError> {
        loop {
            // rustls wants to see the bytes that it has not used yet, even though nothing is read.
            let UnbufferedStatus { discard, state } = S::process(&mut self.tls, &mut self.partial);
            debug_assert_eq!(discard, 0, "receive has used up what there was");
            match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let start = out.len();
                    out.resize(start + room, 0);
                    match write(&mut traffic, &mut out[start..]) {
                        Ok(written) => {
                            out.truncate(start + written);
                            return Ok(());
                        }
                        Err(EncryptError::InsufficientSize(InsufficientSizeError {
                            required_size,
                        })) if required_size > room => {
                            out.truncate(start);
                            room = required_size;
                        }
                        Err(_) => {
                            out.truncate(start);
                            return Err(SessionError::Exhausted);
                        }
                    }
                }
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(_) => return Err(SessionError::Exhausted),
                Err(error) => return Err(SessionError::Protocol(error)),
            }
        }
    }
}

/// Appends a message of rustls' own to `out`.
fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, out: &mut Vec<u8>) {
    let start = out.len();
    // When there is too little room, rustls says how much room it needs.
    if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
        data.encode(&mut [])
    {
        out.resize(start + required_size, 0);
        let written = data.encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

impl<S: Side> fmt::Debug for Session<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("phase", &self.phase)
            .field("partial", &self.partial.len())
            .field("peer_closed", &self.peer_closed)
            .finish_non_exhaustive()
    }
}

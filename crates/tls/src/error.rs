//! The errors of files and of peers, each with a sentence.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The reason why the certificates cannot be used. Its text begins as memcached's does and ends with the remedy.
#[derive(Debug)]
pub enum LoadError {
    /// A file cannot be read.
    Read {
        /// The purpose of the file: `certificate chain`, `private key`, `CA certificate`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A file can be read but makes no sense.
    Content {
        /// The purpose of the file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The fault of its contents.
        reason: String,
    },
    /// The settings contradict each other.
    Settings(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read { what, path, error } => {
                write!(f, "Error loading the {what}: {} : {error}", path.display())
            }
            LoadError::Content { what, path, reason } => {
                write!(f, "Error loading the {what}: {} : {reason}", path.display())
            }
            LoadError::Settings(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for LoadError {}

/// The reason why a session has ended. There may be an alert to send.
#[derive(Debug)]
pub enum SessionError {
    /// The peer does not speak TLS: its first byte begins no handshake. The peer gets no answer, since it could not
    /// read one.
    NotTls,
    /// The handshake has failed.
    Handshake(rustls::Error),
    /// The peer has broken the protocol after the handshake.
    Protocol(rustls::Error),
    /// The peer sends a message that never ends.
    TooLong,
    /// So many records have been sent under one key that more would be unsafe; a TLS 1.2 client would have to connect
    /// again.
    Exhausted,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::NotTls => f.write_str("the client does not speak TLS"),
            SessionError::Handshake(error) => write!(f, "handshake failed: {error}"),
            SessionError::Protocol(error) => write!(f, "protocol error: {error}"),
            SessionError::TooLong => f.write_str("the client's message is too long"),
            SessionError::Exhausted => f.write_str("the keys of the session are used up"),
        }
    }
}

impl std::error::Error for SessionError {}

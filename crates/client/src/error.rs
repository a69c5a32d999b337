//! Errors, and their consequences for the connection.
//!
//! | error | sent? | the connection |
//! | --- | --- | --- |
//! | [`Error::Key`], [`Error::Unsupported`], [`Error::Config`] | no | as before |
//! | [`Error::Client`], [`Error::Server`], [`Error::Authentication`] | yes, and refused | as before |
//! | [`Error::Timeout`], [`Error::Io`], [`Error::Protocol`] | perhaps | closed, never used again |
//! | [`Error::Closed`] | no | closed before |

use std::fmt;
use std::io;

/// The result of a request.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why a request failed. A miss is no error, nor is a store whose condition does not hold.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The key cannot be sent.
    Key(&'static str),
    /// The protocol of the connection cannot express the request.
    Unsupported(&'static str),
    /// Settings contradict each other, or an address cannot be parsed.
    Config(String),
    /// The server does not know or does not accept the request: `ERROR`, `CLIENT_ERROR`.
    Client(Refusal),
    /// The server cannot carry out the request: `SERVER_ERROR`.
    Server(Refusal),
    /// The server does not accept the user or the password.
    Authentication(String),
    /// The time for this step was up.
    Timeout(Doing),
    /// The connection could not be opened, or broke.
    Io(io::Error),
    /// The server sent bytes that are no reply, or a reply to another request.
    Protocol(ProtocolError),
    /// The connection was closed after an earlier error, or a request on it was not waited for.
    Closed,
}

impl Error {
    /// Whether the connection cannot be used any more: the next bytes on it could be the reply to an older request.
    #[must_use]
    pub const fn closes(&self) -> bool {
        matches!(
            self,
            Error::Timeout(_) | Error::Io(_) | Error::Protocol(_) | Error::Closed
        )
    }
}

/// The step that was under way when the time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// Opening the connection.
    Connect,
    /// Waiting for bytes of a reply.
    Read,
    /// Waiting until the server takes more bytes.
    Write,
    /// Waiting for a connection of the pool to become free.
    Pool,
}

/// Words with which a server refuses a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The meaning of the words.
    pub kind: RefusalKind,
    /// The words, without `CLIENT_ERROR` or `SERVER_ERROR`.
    pub text: String,
}

/// The meaning of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// No such command.
    UnknownCommand,
    /// incr or decr of a value that is no number.
    NotANumber,
    /// Any other fault of the request.
    Client,
    /// The value is larger than the server ever takes.
    TooLarge,
    /// The server has no memory for the value now.
    OutOfMemory,
    /// Any other fault of the server.
    Server,
}

impl RefusalKind {
    /// Whether the request is at fault, and not the server's state.
    #[must_use]
    pub const fn is_clients(self) -> bool {
        matches!(
            self,
            RefusalKind::UnknownCommand | RefusalKind::NotANumber | RefusalKind::Client
        )
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        if refusal.kind.is_clients() {
            Error::Client(refusal)
        } else {
            Error::Server(refusal)
        }
    }
}

/// A breach of the protocol: bytes that are no reply, or a reply to another request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The bytes are not of the protocol. The text says what is wrong and shows the bytes.
    Malformed(String),
    /// A reply of the protocol that does not answer the request it arrived for: a reply was lost, or came twice.
    Shifted(String),
    /// A value longer than this client takes.
    TooLong {
        /// The length that the server announced.
        bytes: usize,
        /// The longest value that is allowed.
        max: usize,
    },
    /// TLS: the handshake failed, or a record is broken.
    Tls(String),
}

impl ProtocolError {
    /// The most bytes that a message shows.
    const EXCERPT_BYTES: usize = 64;

    pub(crate) fn malformed(what: &impl fmt::Display, bytes: &[u8]) -> Self {
        Self::Malformed(format!("{what}: \"{}\"", excerpt(bytes)))
    }
}

/// The beginning of `bytes`, for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let shown = bytes.len().min(ProtocolError::EXCERPT_BYTES);
    bytes[..shown].escape_ascii().to_string()
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Error::Protocol(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RefusalKind::UnknownCommand if self.text.is_empty() => f.write_str("unknown command"),
            _ => f.write_str(&self.text),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::Malformed(what) => f.write_str(what),
            ProtocolError::Shifted(what) => write!(f, "a reply to another request: {what}"),
            ProtocolError::TooLong { bytes, max } => {
                write!(f, "a value of {bytes} bytes, of which {max} are allowed")
            }
            ProtocolError::Tls(what) => write!(f, "TLS: {what}"),
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Connect => "connecting",
            Doing::Read => "waiting for the reply",
            Doing::Write => "sending the request",
            Doing::Pool => "waiting for a free connection",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Key(why) => write!(f, "the key cannot be sent: {why}"),
            Error::Unsupported(what) => write!(f, "the protocol cannot say this: {what}"),
            Error::Config(what) => f.write_str(what),
            Error::Client(refusal) => write!(f, "the server refused the request: {refusal}"),
            Error::Server(refusal) => write!(f, "the server failed: {refusal}"),
            Error::Authentication(text) => write!(f, "not authenticated: {text}"),
            Error::Timeout(doing) => write!(f, "the time was up while {doing}"),
            Error::Io(error) => write!(f, "the connection failed: {error}"),
            Error::Protocol(error) => write!(f, "the server broke the protocol: {error}"),
            Error::Closed => f.write_str("the connection was closed after an earlier error"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            Error::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

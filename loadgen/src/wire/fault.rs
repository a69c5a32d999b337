//! The faults of a conversation: bytes that are no reply, and replies to other requests.

use std::fmt;

/// The reason why a conversation cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are no reply of the protocol.
    Malformed,
    /// The replies are of the protocol, but do not belong to the requests they arrive for: one was lost, or came twice.
    Shifted,
}

/// Bytes that are no reply of the protocol, or a reply to another request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    /// The kind of fault.
    pub fault: Fault,
    what: &'static str,
    excerpt: String,
}

impl ProtocolError {
    /// An error about `bytes`, of which an excerpt is kept.
    #[must_use]
    pub fn new(what: &'static str, bytes: &[u8]) -> Self {
        let excerpt = bytes[..bytes.len().min(64)].escape_ascii().to_string();
        Self {
            fault: Fault::Malformed,
            what,
            excerpt,
        }
    }

    /// The error of a reply that no request asked for.
    #[must_use]
    pub fn unasked(bytes: &[u8]) -> Self {
        let excerpt = Self::new("", bytes).excerpt;
        Self::shifted(format!("a reply that nothing was asked for: \"{excerpt}\""))
    }

    /// Replies that are shifted, as `example` shows.
    #[must_use]
    pub fn shifted(example: String) -> Self {
        Self {
            fault: Fault::Shifted,
            what: "",
            excerpt: example,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Malformed => write!(f, "{}: \"{}\"", self.what, self.excerpt),
            Fault::Shifted => f.write_str(&self.excerpt),
        }
    }
}

//! What a server answered to one request, whatever the protocol.

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A hit.
    Hit(Hit),
    /// Nothing under that key.
    Miss,
    /// Stored, deleted or touched, as asked.
    Done,
    /// Not stored, since the key is there (add) or is not (replace, append, prepend).
    NotStored,
    /// The cas unique was another.
    Exists,
    /// The number after incr or decr.
    Number(u64),
    /// The value is no number.
    NotANumber,
    /// Refused: no memory for it now.
    NoMemory,
    /// Refused: too large at any time.
    TooLarge,
    /// The request asked for no answer.
    Unseen,
    /// Anything else, as text.
    Other(String),
}

/// A value and what came with it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) client_flags: u32,
    pub(crate) value: Vec<u8>,
    pub(crate) cas: Option<u64>,
}

impl std::fmt::Debug for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = String::from_utf8_lossy(&self.value[..self.value.len().min(48)]).into_owned();
        write!(
            f,
            "{} bytes, flags {}, {begin:?}",
            self.value.len(),
            self.client_flags
        )
    }
}

impl Answer {
    /// Whether the server said that it has no room: nothing is known about the item then.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Answer::NoMemory | Answer::TooLarge)
    }
}

//! How the client's parsers of all protocols hand out a stream of replies.

/// The result of parsing the bytes at the start of a buffer: a part `P` of a reply, or a breach `E` of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<P, E> {
    /// More bytes are needed.
    Incomplete,
    /// A part of a reply.
    Part {
        /// Bytes of the part; never 0. Present the bytes after them next.
        consumed: usize,
        /// The part.
        part: P,
    },
    /// The bytes are not of the expected protocol; the connection is of no more use.
    Malformed(E),
}

/// A thing and how many bytes it takes in the buffer, or `None` if more bytes are needed.
pub(crate) type Found<T, E> = Result<Option<(usize, T)>, E>;

impl<P, E> Step<P, E> {
    /// The step for `found`; `part` makes a part of the found value.
    #[inline]
    pub(crate) fn of<T>(found: Found<T, E>, part: impl FnOnce(T) -> Result<P, E>) -> Self {
        match found {
            Ok(Some((consumed, found))) => match part(found) {
                Ok(part) => Step::Part { consumed, part },
                Err(malformed) => Step::Malformed(malformed),
            },
            Ok(None) => Step::Incomplete,
            Err(malformed) => Step::Malformed(malformed),
        }
    }
}

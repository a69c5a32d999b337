//! Names of connections and listeners.

/// The caller's name for a connection or listener, for example an index and a generation. Less than 2^56.
///
/// Give each connection a token of its own. Do not reuse a token before its connection is closed and that connection's
/// last event has come: the reactor tells connections apart by their tokens, never by descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

impl Token {
    /// The largest token.
    pub const MAX: Token = Token((1 << 56) - 1);
}

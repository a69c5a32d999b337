//! Values, as parsers give them: in the pieces that have arrived.

/// A piece of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPiece<'a> {
    /// The bytes; empty only in the last piece of a line protocol's value.
    pub bytes: &'a [u8],
    /// Whether the value ends here; its line end has been consumed with it.
    pub last: bool,
}

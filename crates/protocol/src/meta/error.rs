//! The errors of a meta command line, and their texts.

use crate::reply::BAD_FORMAT;

/// The one text of `ma` for any error of its key and flags.
const ARITH_FLAGS: &[u8] = b"CLIENT_ERROR invalid or duplicate flag\r\n";

/// The reason why a command line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineError {
    /// A word is missing, or the length of the value is no valid length.
    Incomplete,
    /// The key is longer than 250 bytes.
    KeyTooLong,
    /// A flag that begins with a byte that is no letter and no digit.
    NotAFlag,
    /// Too many words.
    TooMany,
    /// A letter occurs twice.
    Duplicate,
    /// No command has such a letter.
    Unknown,
    /// An argument that is not the number it must be.
    BadNumber,
    /// The argument of `F` is no number of 32 bits.
    BadClientFlags,
    /// The argument of `J` is no number.
    BadInitial,
    /// The argument of `D` is no number.
    BadDelta,
    /// With `b`, a key that is not base64.
    UndecodableKey,
    /// `ms` has no such mode.
    SetMode,
    /// `ma` has no such mode.
    ArithMode,
    /// The argument of `O` is too long.
    OpaqueTooLong,
}

impl LineError {
    /// The reply line of all commands but `ma`.
    pub(super) const fn reply(self) -> &'static [u8] {
        match self {
            LineError::Incomplete
            | LineError::KeyTooLong
            | LineError::NotAFlag
            | LineError::BadClientFlags => BAD_FORMAT,
            LineError::TooMany => b"CLIENT_ERROR options flags are too long\r\n",
            LineError::Duplicate => b"CLIENT_ERROR duplicate flag\r\n",
            LineError::Unknown => b"CLIENT_ERROR invalid flag\r\n",
            LineError::BadNumber => b"CLIENT_ERROR bad token in command line format\r\n",
            LineError::BadInitial => b"CLIENT_ERROR invalid numeric initial value\r\n",
            LineError::BadDelta => b"CLIENT_ERROR invalid numeric delta value\r\n",
            LineError::UndecodableKey => b"CLIENT_ERROR error decoding key\r\n",
            LineError::SetMode => b"CLIENT_ERROR invalid mode for ms M token\r\n",
            LineError::ArithMode => b"CLIENT_ERROR invalid mode for ma M token\r\n",
            LineError::OpaqueTooLong => b"CLIENT_ERROR opaque token too long\r\n",
        }
    }

    /// The reply line of `ma`.
    pub(super) const fn reply_to_arith(self) -> &'static [u8] {
        match self {
            LineError::Incomplete
            | LineError::NotAFlag
            | LineError::ArithMode
            | LineError::OpaqueTooLong => self.reply(),
            _ => ARITH_FLAGS,
        }
    }
}

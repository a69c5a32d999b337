//! Status of a reply, and the text that stands for it in the body of an error.

/// Status of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Status {
    /// Done.
    Ok = 0x00,
    /// No such item.
    NotFound = 0x01,
    /// There is such an item, or its cas unique differs.
    Exists = 0x02,
    /// Larger than `-I`.
    TooLarge = 0x03,
    /// A packet that breaks the protocol.
    Invalid = 0x04,
    /// append or prepend without an item.
    NotStored = 0x05,
    /// incr or decr of a value that is not a number.
    NonNumeric = 0x06,
    /// Not authenticated, or not allowed.
    AuthError = 0x20,
    /// An authentication needs another step.
    AuthContinue = 0x21,
    /// No such opcode.
    UnknownCommand = 0x81,
    /// No memory.
    OutOfMemory = 0x82,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 11] = [
        Status::Ok,
        Status::NotFound,
        Status::Exists,
        Status::TooLarge,
        Status::Invalid,
        Status::NotStored,
        Status::NonNumeric,
        Status::AuthError,
        Status::AuthContinue,
        Status::UnknownCommand,
        Status::OutOfMemory,
    ];

    /// The status with this code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Status> {
        Status::ALL
            .into_iter()
            .find(|&status| status as u16 == code)
    }

    /// The text of an error; empty for a status that is no error.
    #[must_use]
    pub const fn text(self) -> &'static [u8] {
        match self {
            Status::Ok | Status::AuthContinue => b"",
            Status::NotFound => b"Not found",
            Status::Exists => b"Data exists for key.",
            Status::TooLarge => b"Too large.",
            Status::Invalid => b"Invalid arguments",
            Status::NotStored => b"Not stored.",
            Status::NonNumeric => b"Non-numeric server-side value for incr or decr",
            Status::AuthError => b"Auth failure.",
            Status::UnknownCommand => b"Unknown command",
            Status::OutOfMemory => b"Out of memory",
        }
    }
}

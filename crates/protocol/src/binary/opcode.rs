//! The opcodes of the binary protocol.

/// Declares the opcodes once, with their names and their quiet forms.
macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident = $byte:literal,)*) => {
        /// The opcodes that memcached answers with anything but "Unknown command". A trailing `Q` is the quiet form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Opcode {
            $($(#[$doc])* $name = $byte,)*
        }

        impl Opcode {
            /// All opcodes.
            pub const ALL: &[Opcode] = &[$(Opcode::$name,)*];

            /// The opcode of a header's second byte.
            #[inline]
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Opcode> {
                match byte {
                    $($byte => Some(Opcode::$name),)*
                    _ => None,
                }
            }
        }
    };
}

opcodes! {
    /// Fetch.
    Get = 0x00,
    /// Store.
    Set = 0x01,
    /// Store if absent.
    Add = 0x02,
    /// Store if present.
    Replace = 0x03,
    /// Delete.
    Delete = 0x04,
    /// Add to a number.
    Incr = 0x05,
    /// Subtract from a number.
    Decr = 0x06,
    /// Close.
    Quit = 0x07,
    /// Invalidate everything.
    Flush = 0x08,
    /// Fetch; no answer on a miss.
    GetQ = 0x09,
    /// Does nothing but answer.
    Noop = 0x0a,
    /// The server's version.
    Version = 0x0b,
    /// Fetch, with the key.
    GetK = 0x0c,
    /// Fetch, with the key; no answer on a miss.
    GetKQ = 0x0d,
    /// Store behind the value.
    Append = 0x0e,
    /// Store before the value.
    Prepend = 0x0f,
    /// Statistics.
    Stat = 0x10,
    /// Store; no answer on success.
    SetQ = 0x11,
    /// Store if absent; no answer on success.
    AddQ = 0x12,
    /// Store if present; no answer on success.
    ReplaceQ = 0x13,
    /// Delete; no answer on success.
    DeleteQ = 0x14,
    /// Add to a number; no answer on success.
    IncrQ = 0x15,
    /// Subtract from a number; no answer on success.
    DecrQ = 0x16,
    /// Close, without an answer.
    QuitQ = 0x17,
    /// Invalidate everything; no answer on success.
    FlushQ = 0x18,
    /// Store behind the value; no answer on success.
    AppendQ = 0x19,
    /// Store before the value; no answer on success.
    PrependQ = 0x1a,
    /// Set the exptime.
    Touch = 0x1c,
    /// Fetch and set the exptime.
    Gat = 0x1d,
    /// Fetch and set the exptime; no answer on a miss.
    GatQ = 0x1e,
    /// The names of the authentication mechanisms.
    SaslList = 0x20,
    /// Begin an authentication.
    SaslAuth = 0x21,
    /// Go on with an authentication.
    SaslStep = 0x22,
    /// Fetch with the key, and set the exptime.
    GatK = 0x23,
    /// Fetch with the key, and set the exptime; no answer on a miss.
    GatKQ = 0x24,
}

impl Opcode {
    /// Whether the ordinary answer is not sent.
    #[inline]
    #[must_use]
    pub const fn is_quiet(self) -> bool {
        use Opcode::{
            AddQ, AppendQ, DecrQ, DeleteQ, FlushQ, GatKQ, GatQ, GetKQ, GetQ, IncrQ, PrependQ,
            QuitQ, ReplaceQ, SetQ,
        };
        matches!(
            self,
            GetQ | GetKQ
                | GatQ
                | GatKQ
                | SetQ
                | AddQ
                | ReplaceQ
                | AppendQ
                | PrependQ
                | DeleteQ
                | IncrQ
                | DecrQ
                | QuitQ
                | FlushQ
        )
    }

    /// Whether the answer to a fetch carries the key, also on a miss.
    #[inline]
    #[must_use]
    pub const fn returns_key(self) -> bool {
        use Opcode::{GatK, GatKQ, GetK, GetKQ};
        matches!(self, GetK | GetKQ | GatK | GatKQ)
    }

    /// Whether a success comes with a value that may be large.
    #[must_use]
    pub const fn is_fetch(self) -> bool {
        use Opcode::{Gat, GatK, GatKQ, GatQ, Get, GetK, GetKQ, GetQ};
        matches!(self, Get | GetQ | GetK | GetKQ | Gat | GatQ | GatK | GatKQ)
    }
}

//! The requests that a packet can make.

use super::status::Status;
use crate::text::{StatsRequest, StoreVerb};

/// One parsed packet. Keys are 1 to 250 bytes, any bytes. An exptime is unsigned here: it is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryRequest<'a> {
    /// GET, GETK.
    Get {
        /// The key.
        key: &'a [u8],
        /// Whether the reply carries the key, also on a miss.
        with_key: bool,
        /// Whether a miss is not answered.
        quiet: bool,
    },
    /// GAT, GATK.
    GetAndTouch {
        /// The key.
        key: &'a [u8],
        /// The new exptime.
        exptime: u32,
        /// Whether the reply carries the key, also on a miss.
        with_key: bool,
        /// Whether a miss is not answered.
        quiet: bool,
    },
    /// TOUCH.
    Touch {
        /// The key.
        key: &'a [u8],
        /// The new exptime.
        exptime: u32,
    },
    /// SET, ADD, REPLACE, APPEND, PREPEND; `value_bytes` of data follow.
    Store(BinaryStore<'a>),
    /// DELETE.
    Delete {
        /// The key.
        key: &'a [u8],
        /// The cas unique to compare with; 0 for none.
        cas: u64,
        /// Whether success is not answered.
        quiet: bool,
    },
    /// INCR, DECR.
    Arith {
        /// The key.
        key: &'a [u8],
        /// Up when true, down when false.
        incr: bool,
        /// The number to add or subtract.
        delta: u64,
        /// Number and exptime of the item that is created on a miss, if one is to be created.
        create: Option<(u64, u32)>,
        /// The cas unique to compare with; 0 for none.
        cas: u64,
        /// Whether success is not answered.
        quiet: bool,
    },
    /// FLUSH.
    Flush {
        /// The delay, see [`crate::exptime`].
        exptime: Option<u32>,
        /// Whether success is not answered.
        quiet: bool,
    },
    /// NOOP: answered after everything before it.
    Noop,
    /// VERSION.
    Version,
    /// QUIT: close after pending replies.
    Quit {
        /// Whether the request is not answered.
        quiet: bool,
    },
    /// STAT.
    Stat(StatsRequest<'a>),
    /// SASL list.
    SaslList,
    /// SASL auth; `value_bytes` of the client's first message follow.
    SaslAuth {
        /// Name of the mechanism; longer than [`super::MECHANISM_BYTES_MAX`] is [`Status::Invalid`].
        mechanism: &'a [u8],
        /// Length of the message.
        value_bytes: u32,
    },
    /// SASL step; `value_bytes` of the client's message follow.
    SaslStep {
        /// Name of the mechanism.
        mechanism: &'a [u8],
        /// Length of the message.
        value_bytes: u32,
    },
    /// A packet that is not a valid request; answered even if its opcode is quiet.
    Error {
        /// Status of the reply.
        status: Status,
        /// How many bytes after the packet are dropped unread.
        swallow: usize,
        /// Whether the connection is closed, after pending replies have been sent.
        close: bool,
    },
}

/// A packet that stores a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinaryStore<'a> {
    /// How to store. SET, ADD and REPLACE with a cas unique are all [`StoreVerb::Cas`].
    pub verb: StoreVerb,
    /// The key.
    pub key: &'a [u8],
    /// Client flags; 0 for APPEND and PREPEND.
    pub client_flags: u32,
    /// The exptime; 0 for APPEND and PREPEND.
    pub exptime: u32,
    /// Length of the value that follows.
    pub value_bytes: u32,
    /// The cas unique to compare with; 0 for none.
    pub cas: u64,
    /// Whether success is not answered.
    pub quiet: bool,
}

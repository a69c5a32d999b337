//! The binary protocol: packets with a 24-byte header, big-endian.
//!
//! ```text
//!   0      1        2        4        5          6               8        12       16         24
//!   +------+--------+--------+--------+----------+---------------+--------+--------+----------+--------+-----+-------+
//!   | 0x80 | opcode | key    | extras | datatype | 0 / status in | body   | opaque | cas      | extras | key | value |
//!   | 0x81 |        | length | length |          | replies       | length |        |          |                      |
//!   +------+--------+--------+--------+----------+---------------+--------+--------+----------+----- body length ----+
//! ```
//!
//! [`parse`] takes a packet up to its value, so that a value may come in any pieces. The request of a packet is a
//! [`BinaryRequest`]; the part that the reply repeats (opcode as sent, and opaque) is its [`Head`]. Quiet opcodes have
//! no requests of their own: they set a flag.
//!
//! [`Header`], [`StoreExtras`] and [`ArithExtras`] are the layouts that both sides of the wire read and write.

mod arith;
mod delete;
mod flush;
mod get;
mod header;
mod opcode;
mod packet;
mod parse;
pub mod reply;
mod request;
mod sasl;
mod simple;
mod stat;
mod status;
mod store;

pub use arith::ArithExtras;
pub use header::{HEADER_BYTES, Head, Header, REPLY_MAGIC, REQUEST_MAGIC};
pub use opcode::Opcode;
pub use parse::{BODY_BYTES_MAX, Parsed, first_key, parse};
pub use request::{BinaryRequest, BinaryStore};
pub use sasl::{MECHANISM_BYTES_MAX, MECHANISM_PLAIN};
pub use status::Status;
pub use store::StoreExtras;

//! What goes over the wire: requests become operations (`request/`), and outcomes become bytes, in a file for each
//! protocol and nowhere else.
//!
//! ```text
//!   request --> Op ------> execute --> Outcome --+--> text      what comes before a value, or all of the reply
//!          +--> Style -------------------------- +--> meta
//!                                                +--> binary
//!   style        the protocol of a reply
//!   answer       an operation is run, and its reply is written
//!   remote_read  a lookup in another shard's memory, answered here
//!   value        the value of a hit behind that: copied, or sent from where it is
//!   notice       replies to commands that are not about a key
//!   dump         lines about items that a walk passes
//! ```
//!
//! The crate `protocol` turns bytes into requests and knows no item. A connection goes through its input request by
//! request (`conn/text`, `conn/binary`).

pub(crate) mod answer;
mod binary;
pub(crate) mod dump;
mod meta;
pub(crate) mod notice;
pub(crate) mod remote_read;
pub(crate) mod request;
pub(crate) mod style;
mod text;
pub(crate) mod value;

pub(crate) use answer::answer;
pub(crate) use meta::MetaStyle;
pub(crate) use style::Style;

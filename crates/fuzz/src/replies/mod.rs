//! What must hold for everything that a server sends back: well-formed replies, exactly one for each request that is
//! not quiet, in the order of requests, and nothing else.
//!
//! The requests are read by the server-side parsers, the replies by the client-side ones, so this knows of the protocol
//! what both sides of the wire know, and says nothing about which of the possible replies is the right one: that is
//! what the differential test is for.

pub mod binary;
pub mod meta;
pub mod text;

/// What came back for the bytes sent.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// All that was sent.
    pub sent: &'a [u8],
    /// All that came back, once the server had nothing more to say.
    pub received: &'a [u8],
    /// Whether the server closed the connection.
    pub closed: bool,
}

//! The two sides of TLS. A session works alike on both; they differ in who speaks first and in what an idle one keeps.

use std::ops::{Deref, DerefMut};

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{UnbufferedConnectionCommon, UnbufferedStatus};

/// First byte of the record that a handshake begins with.
const CONTENT_HANDSHAKE: u8 = 22;
/// First byte of a record with an alert.
const CONTENT_ALERT: u8 = 21;

/// A side of TLS: [`Server`] or [`Client`].
pub trait Side: sealed::Side {}

impl Side for Server {}
impl Side for Client {}

/// The side that accepts connections.
#[derive(Debug)]
pub enum Server {}

/// The side that opens connections.
#[derive(Debug)]
pub enum Client {}

pub(crate) mod sealed {
    use super::{Deref, DerefMut, UnbufferedConnectionCommon, UnbufferedStatus};

    /// What a session has to know of its side.
    pub trait Side {
        /// rustls' connection.
        type Tls: DerefMut + Deref<Target = UnbufferedConnectionCommon<Self::Data>>;
        /// The state that rustls keeps for this side.
        type Data;
        /// Whether this side sends the first message.
        const SPEAKS_FIRST: bool;
        /// Whether a session without a part of a record keeps the buffer for one. A server has many idle sessions; a
        /// client that measures has few, and wants to allocate nothing.
        const KEEPS_BUFFER: bool;

        /// Whether this can be the first byte of the other side.
        fn may_begin_with(byte: u8) -> bool;

        /// rustls' next step over `bytes`.
        fn process<'c, 'i>(
            tls: &'c mut Self::Tls,
            bytes: &'i mut [u8],
        ) -> UnbufferedStatus<'c, 'i, Self::Data>;
    }
}

impl sealed::Side for Server {
    type Tls = UnbufferedServerConnection;
    type Data = ServerConnectionData;
    const SPEAKS_FIRST: bool = false;
    const KEEPS_BUFFER: bool = false;

    fn may_begin_with(byte: u8) -> bool {
        byte == CONTENT_HANDSHAKE
    }

    fn process<'c, 'i>(
        tls: &'c mut Self::Tls,
        bytes: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        tls.process_tls_records(bytes)
    }
}

impl sealed::Side for Client {
    type Tls = UnbufferedClientConnection;
    type Data = ClientConnectionData;
    const SPEAKS_FIRST: bool = true;
    const KEEPS_BUFFER: bool = true;

    fn may_begin_with(byte: u8) -> bool {
        // A server that finds no common version answers with an alert.
        byte == CONTENT_HANDSHAKE || byte == CONTENT_ALERT
    }

    fn process<'c, 'i>(
        tls: &'c mut Self::Tls,
        bytes: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        tls.process_tls_records(bytes)
    }
}

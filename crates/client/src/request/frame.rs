//! A frame, into which a request is written: the bytes, the protocol, and the opaque that the answer will repeat.

use crate::Protocol;
use crate::error::{Error, Result};
use crate::key::{self, Encoding};
use crate::wire::meta::Command;

/// A frame, into which a request is written.
#[derive(Debug)]
pub struct Frame<'o> {
    protocol: Protocol,
    opaque: u32,
    out: &'o mut Vec<u8>,
}

impl<'o> Frame<'o> {
    /// A frame at the end of `out`. The answer will carry `opaque`, where the protocol can.
    pub fn new(protocol: Protocol, opaque: u32, out: &'o mut Vec<u8>) -> Self {
        Frame {
            protocol,
            opaque,
            out,
        }
    }

    /// The protocol to write in.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The opaque of the request. A request that asks quietly for `n` keys may also use the `n` opaques after it.
    #[must_use]
    pub fn opaque(&self) -> u32 {
        self.opaque
    }

    /// The bytes; the request belongs at their end.
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Whether `key` can be sent.
    ///
    /// # Errors
    ///
    /// [`Error::Key`].
    pub fn check(&self, key: &[u8]) -> Result<()> {
        key::encoding(key, self.protocol).map(drop)
    }

    /// A meta command about `key`, which is sent in base64 if it has to be, with the given opaque.
    pub(crate) fn meta(&mut self, kind: Meta, key: &[u8], opaque: u32) -> Result<Command<'_>> {
        // The line protocols share a connection: meta commands can also be sent on a connection of the text protocol.
        if self.protocol == Protocol::Binary {
            return Err(Error::Unsupported("meta commands on a binary connection"));
        }
        let out = &mut *self.out;
        let command = match (key::encoding(key, Protocol::Meta)?, kind) {
            (Encoding::Plain, Meta::Get) => Command::get(out, key),
            (Encoding::Plain, Meta::Set(bytes)) => Command::set(out, key, bytes),
            (Encoding::Plain, Meta::Delete) => Command::delete(out, key),
            (Encoding::Plain, Meta::Arith) => Command::arith(out, key),
            (Encoding::Base64, Meta::Get) => Command::get_base64(out, key),
            (Encoding::Base64, Meta::Set(bytes)) => Command::set_base64(out, key, bytes),
            (Encoding::Base64, Meta::Delete) => Command::delete_base64(out, key),
            (Encoding::Base64, Meta::Arith) => Command::arith_base64(out, key),
        };
        Ok(command.number(b'O', opaque))
    }
}

/// The meta commands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meta {
    Get,
    Set(usize),
    Delete,
    Arith,
}

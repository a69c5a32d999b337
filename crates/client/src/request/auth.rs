//! Authentication: the first request of a connection.
//!
//! ```text
//!   -Y   set <any key> 0 0 <bytes>\r\n<user> <password>\r\n   STORED, or CLIENT_ERROR authentication failure
//!   -S   SASL auth, mechanism PLAIN, "\0<user>\0<password>"   status 0, or 0x20
//! ```

use super::frame::Frame;
use super::{Request, Shape, misplaced};
use crate::Protocol;
use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::wire::binary;
use crate::wire::text::{self, StoreVerb};
use corecached_protocol::binary::MECHANISM_PLAIN;
use std::fmt;

/// Authenticates a connection of a line protocol, against a server with a password file (`-Y`).
#[derive(Clone, Copy)]
pub struct Password<'a> {
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

/// Authenticates a binary connection by SASL PLAIN, against a server started with `-S`.
#[derive(Clone, Copy)]
pub struct SaslPlain<'a> {
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

impl Request for Password<'_> {
    type Output = ();

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        if frame.protocol() == Protocol::Binary {
            return Err(Error::Unsupported("a password outside SASL"));
        }
        let token = format!("{} {}", self.user, self.password);
        // The server ignores the key.
        text::store(
            frame.out(),
            b"auth",
            &text::Store::new(StoreVerb::Set),
            &token,
        );
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<()> {
        outcome(answer)
    }
}

impl Request for SaslPlain<'_> {
    type Output = ();

    fn key(&self) -> Option<&[u8]> {
        None
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        if frame.protocol() != Protocol::Binary {
            return Err(Error::Unsupported("SASL outside the binary protocol"));
        }
        let token = format!("\0{}\0{}", self.user, self.password);
        let (opcode, opaque) = (binary::Opcode::SaslAuth, frame.opaque());
        binary::with_value(frame.out(), opcode, opaque, MECHANISM_PLAIN, 0, &token);
        Ok(Shape::One)
    }

    fn read(&self, answer: Answer) -> Result<()> {
        outcome(answer)
    }
}

fn outcome(answer: Answer) -> Result<()> {
    match answer {
        Answer::Done(_) => Ok(()),
        Answer::Refused(refusal) => Err(Error::Authentication(refusal.text)),
        other => Err(misplaced("an authentication", &other)),
    }
}

impl fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SaslPlain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslPlain")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

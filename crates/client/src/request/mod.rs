//! The requests to a server: one type for each kind of request, each in all protocols that can express it.
//!
//! ```text
//!   Get::new("k").write(frame) -> "mg k v f O7\r\n"      Shape::One
//!   Get::read(Answer::Values([hit])) -> Some(item)
//! ```
//!
//! The methods of connections and clients are made of these requests. [`Request`] is open: a program can implement it
//! for requests that are missing here.

mod admin;
mod auth;
mod change;
mod frame;
mod get;
mod lease;
mod store;

pub use admin::{Flush, Noop, Stats, Version};
pub use auth::{Password, SaslPlain};
pub use change::{Arith, Delete, Touch};
pub use frame::Frame;
pub use get::{Get, GetMany, Item};
pub use lease::{Invalidate, Lease, LeaseToken, MetaGet, MetaItem, TakeLease};
pub use store::{Store, Stored};

use crate::answer::Answer;
use crate::error::{Error, ProtocolError, Result};

pub use crate::reader::Shape;
pub use corecached_protocol::text::StoreVerb;

/// A request to a server.
pub trait Request {
    /// The outcome of the request.
    type Output;

    /// The key that decides which server of several is asked; `None` if any may be.
    fn key(&self) -> Option<&[u8]>;

    /// Appends the request to the frame, and says what it will be answered with.
    ///
    /// # Errors
    ///
    /// If the frame's protocol cannot express the request.
    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape>;

    /// The outcome that the answer means.
    ///
    /// # Errors
    ///
    /// If the server refused; or if the answer cannot belong to this request, which is an [`Error::Protocol`].
    fn read(&self, answer: Answer) -> Result<Self::Output>;
}

impl<R: Request + ?Sized> Request for &R {
    type Output = R::Output;

    fn key(&self) -> Option<&[u8]> {
        (**self).key()
    }

    fn write(&self, frame: &mut Frame<'_>) -> Result<Shape> {
        (**self).write(frame)
    }

    fn read(&self, answer: Answer) -> Result<Self::Output> {
        (**self).read(answer)
    }
}

/// An answer that no server gives to this request.
#[cold]
fn misplaced(request: &str, answer: &Answer) -> Error {
    match answer {
        Answer::Refused(refusal) => refusal.clone().into(),
        other => {
            let kind = match other {
                Answer::Values(hits) => format!("{} values", hits.len()),
                other => format!("{other:?}"),
            };
            ProtocolError::Shifted(format!("{request} was answered with {kind}")).into()
        }
    }
}

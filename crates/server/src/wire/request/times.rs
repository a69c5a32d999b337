//! Exptimes of requests as deadlines of items.

use corecached_engine::{Deadline, Seconds};
use corecached_protocol::exptime;

/// The time of a request, by the server's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The second of the request.
    pub(crate) now: Seconds,
    /// Unix time of the server's second 0.
    pub(crate) unix_origin: i64,
}

impl Times {
    /// The deadline that an exptime means. It is signed in text. In binary it is not: a number that would be negative
    /// in text is a date far ahead.
    #[inline]
    pub(crate) fn deadline(&self, exptime: impl Into<i64>) -> Deadline {
        Deadline(exptime::deadline(
            exptime.into(),
            self.now.0,
            self.unix_origin,
        ))
    }
}

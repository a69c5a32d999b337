//! The requests that a meta command line can make.

use super::arith::MetaArith;
use super::debug::MetaDebug;
use super::delete::MetaDelete;
use super::get::MetaGet;
use super::set::MetaSet;

/// A meta command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaRequest<'a> {
    /// `mg`.
    Get(MetaGet<'a>),
    /// `ms`; the data block follows.
    Set(MetaSet<'a>),
    /// `md`.
    Delete(MetaDelete<'a>),
    /// `ma`.
    Arith(MetaArith<'a>),
    /// `me`.
    Debug(MetaDebug<'a>),
    /// A line that is not a valid command. The reply is sent even if the command asked to be quiet.
    Error {
        /// The reply line.
        reply: &'static [u8],
        /// How many bytes after the line are dropped unread: the data block of `ms` and its line end.
        swallow: usize,
    },
}

//! Requests as operations: the meaning of their words, flags and packets for the operation on the key. Their meaning
//! for the reply is in the files beside this folder.
//!
//! ```text
//!   text meta binary   requests of each protocol
//!   times              exptimes as deadlines
//! ```

pub(crate) mod binary;
pub(crate) mod meta;
pub(crate) mod text;
mod times;

pub(crate) use times::Times;

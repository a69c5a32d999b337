//! What clients ask for, one file for each verb or step of one.
//!
//! ```text
//! get observe                      looking at items
//! store commit                     whole values; values that have come in pieces
//! append prepend splice join       values that grow
//! arith touch delete               numbers, deadlines, the end
//! reshape                          items whose header has to grow
//! ```

pub(crate) mod append;
pub(crate) mod arith;
pub(crate) mod commit;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod join;
pub(crate) mod observe;
pub(crate) mod prepend;
pub(crate) mod reshape;
pub(crate) mod splice;
pub(crate) mod store;
pub(crate) mod touch;

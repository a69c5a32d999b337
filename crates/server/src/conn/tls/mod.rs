//! TLS of one connection: a session, and the records that its replies become.

mod plain;
mod secure;

pub(crate) use plain::Plain;
pub(crate) use secure::{Sealing, Secure};

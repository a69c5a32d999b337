//! The sockets of one address, which the files for each kind of address make.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::error::StartError;

use super::info::ListenerInfo;

/// The sockets of one address, by shard.
#[derive(Debug)]
pub(super) struct Group {
    /// The sockets, a clone for each shard that shares one.
    pub(super) sockets: Vec<Arc<OwnedFd>>,
    /// The address, with the port that it got; a unix socket has none.
    pub(super) address: Option<SocketAddr>,
    /// The properties that connections inherit.
    pub(super) info: ListenerInfo,
    /// Whether a supervisor opened the sockets, and keeps them open.
    pub(super) is_inherited: bool,
}

/// The error that a socket cannot be had.
pub(super) fn message(text: impl Into<String>) -> StartError {
    StartError::System(text.into())
}

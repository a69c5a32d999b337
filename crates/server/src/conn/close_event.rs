//! What watchers of connections are told when one closes.

use corecached_protocol::event::{CloseReason, Peer};

/// The facts that watchers of connections are told when a connection closes.
#[derive(Debug, Default)]
pub(crate) struct CloseEvent {
    /// The connection's client, if a watcher of connections was there when it came.
    pub(crate) peer: Option<Box<Peer>>,
    /// Why the connection is closed.
    pub(crate) reason: Option<CloseReason>,
}

//! The port of `-o metrics`: one socket, for the thread that answers there.

use std::net::TcpListener;

use crate::error::StartError;
use crate::ground::config::Config;

use super::inet::{explain_at, patiently};

/// Listens at the address of `-o metrics`, if there is one. No other process can share the port.
///
/// # Errors
/// If the address is not available; the message names it and the remedy.
pub(crate) fn bind_metrics(config: &Config) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = config.metrics else {
        return Ok(None);
    };
    let options = ("-o metrics", "-o metrics");
    let bound = patiently(|| TcpListener::bind(address));
    bound
        .map(Some)
        .map_err(|error| explain_at("metrics", address, options, &error))
}

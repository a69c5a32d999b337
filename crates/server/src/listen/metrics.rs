//! The port of `-o metrics`: one socket, for the thread that answers there.

use std::net::{SocketAddr, TcpListener};

use crate::base::config::Config;
use crate::error::StartError;

use super::group::message;
use super::inet::{explain_at, patiently};
use super::{Listeners, Transport};

/// Listens at the address of `-o metrics`, if there is one. No other process can share the port.
///
/// # Errors
/// If the address is not available; the message names it and the remedy. `listeners` are those of clients: if one of
/// them has the port, it is no other process that is to blame.
pub(crate) fn bind_metrics(
    config: &Config,
    listeners: &Listeners,
) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = config.metrics else {
        return Ok(None);
    };
    if let Some(taken) = listeners.tcp_address_like(address) {
        let port = address.port();
        return Err(message(format!(
            "failed to listen on metrics port {port}: clients are served on {taken} already; -o metrics has to name \
             another port than -p, -l and -o shard_port"
        )));
    }
    let options = ("-o metrics", "-o metrics");
    let bound = patiently(|| TcpListener::bind(address));
    bound
        .map(Some)
        .map_err(|error| explain_at("metrics", address, options, &error))
}

impl Listeners {
    /// The address of clients that cannot be had together with `wanted`.
    fn tcp_address_like(&self, wanted: SocketAddr) -> Option<SocketAddr> {
        let groups = self.groups.iter();
        let tcp = groups.filter(|group| group.info.transport != Transport::Udp);
        tcp.filter_map(|group| group.address)
            .find(|&is| excludes(wanted, is))
    }
}

/// Whether two sockets of these addresses exclude each other. `[::]` of metrics stands for IPv4, too; that of clients
/// does not.
fn excludes(metrics: SocketAddr, clients: SocketAddr) -> bool {
    let is_same_family = metrics.is_ipv4() == clients.is_ipv4();
    let is_any = metrics.ip().is_unspecified() || clients.ip().is_unspecified();
    let is_any_of_both = metrics.is_ipv6() && metrics.ip().is_unspecified();
    metrics.port() == clients.port()
        && (metrics.ip() == clients.ip() || is_same_family && is_any || is_any_of_both)
}

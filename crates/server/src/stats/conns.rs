//! `stats conns`: every connection and listener by its descriptor.

use std::os::fd::RawFd;

use corecached_engine::Seconds;

use crate::conn::{Conn, ConnTable};
use crate::listen::{self, Transport};
use crate::shard::{Listener, ShardId};
use crate::shared::Shared;

use super::Pairs;

/// One shard's part: what is told of each of its sockets, with the descriptor to sort by. Shard 0 speaks for the listeners;
/// UDP sockets, which do a connection's work, are told of by every shard.
pub(crate) fn describe(
    conns: &ConnTable,
    listeners: &[Listener],
    shard: ShardId,
    shared: &Shared,
    now: Seconds,
) -> Vec<(RawFd, Pairs)> {
    let transport_of = |listener: &Listener| shared.listener(listener.id).transport;
    let listening = listeners
        .iter()
        .filter(|listener| shard == ShardId(0) || transport_of(listener) == Transport::Udp)
        .map(|listener| {
            (
                listener.raw_fd(),
                describe_listener(listener, transport_of(listener)),
            )
        });
    let connected = conns
        .iter()
        .filter(|conn| !conn.is_datagram())
        .map(|conn| (conn.raw_fd(), describe_conn(conn, now)));
    listening.chain(connected).collect()
}

fn describe_listener(listener: &Listener, transport: Transport) -> Pairs {
    let mut pairs = Pairs::default();
    let mut text =
        |name: &str, value: &str| pairs.text(&format!("{}:{name}", listener.raw_fd()), value);
    let is_udp = transport == Transport::Udp;
    if is_udp {
        text("UDP", "UDP");
    }
    text("addr", &listen::local_address(listener.raw_fd()));
    text(
        "state",
        if is_udp {
            "conn_read"
        } else {
            "conn_listening"
        },
    );
    text("secs_since_last_cmd", "0");
    pairs
}

fn describe_conn(conn: &Conn, now: Seconds) -> Pairs {
    let fd = conn.raw_fd();
    let mut pairs = Pairs::default();
    let mut text = |name: &str, value: &str| pairs.text(&format!("{fd}:{name}"), value);
    text("addr", &listen::peer_address(fd));
    text("listen_addr", &listen::local_address(fd));
    text("state", conn.state_name());
    text("resps_waiting", &conn.replies_waiting().to_string());
    text(
        "secs_since_last_cmd",
        &now.0.saturating_sub(conn.last_activity.0).to_string(),
    );
    pairs
}

/// The whole reply, from the parts of all shards.
pub(crate) fn render(parts: &mut [(RawFd, Pairs)]) -> Pairs {
    parts.sort_by_key(|(fd, _)| *fd);
    let mut pairs = Pairs::default();
    for (_, part) in parts {
        pairs.append(part);
    }
    pairs
}

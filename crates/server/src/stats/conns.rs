//! `stats conns`: every connection and listener by its descriptor.

use std::os::fd::RawFd;

use corecached_engine::Seconds;

use crate::conn::{Conn, ConnTable};
use crate::listen;
use crate::shard::{Listener, ShardId};

use super::Pairs;

/// One shard's part: what is told of each of its sockets, with the descriptor to sort by. Shard 0 speaks for the listeners.
pub(crate) fn describe(
    conns: &ConnTable,
    listeners: &[Listener],
    shard: ShardId,
    now: Seconds,
) -> Vec<(RawFd, Pairs)> {
    let listening = listeners
        .iter()
        .filter(|_| shard == ShardId(0))
        .map(|listener| (listener.fd, describe_listener(listener)));
    let connected = conns
        .iter()
        .map(|conn| (conn.raw_fd(), describe_conn(conn, now)));
    listening.chain(connected).collect()
}

fn describe_listener(listener: &Listener) -> Pairs {
    let mut pairs = Pairs::default();
    let mut text = |name: &str, value: &str| pairs.text(&format!("{}:{name}", listener.fd), value);
    text("addr", &listen::local_address(listener.fd));
    text("state", "conn_listening");
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

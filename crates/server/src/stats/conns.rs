//! `stats conns`: every connection and listener by its descriptor.

use std::os::fd::RawFd;

use corecached_engine::Seconds;
use corecached_protocol::reply;

use crate::conn::{Conn, ConnTable};
use crate::listen;
use crate::shard::{Listener, ShardId};

/// One shard's part: the lines of each of its sockets, with the descriptor to sort by. Shard 0 speaks for the listeners.
pub(crate) fn describe(
    conns: &ConnTable,
    listeners: &[Listener],
    shard: ShardId,
    now: Seconds,
) -> Vec<(RawFd, Vec<u8>)> {
    let listening = listeners
        .iter()
        .filter(|_| shard == ShardId(0))
        .map(|listener| (listener.fd, describe_listener(listener)));
    let connected = conns
        .iter()
        .map(|conn| (conn.raw_fd(), describe_conn(conn, now)));
    listening.chain(connected).collect()
}

fn describe_listener(listener: &Listener) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| {
        reply::stat_line(&mut lines, format!("{}:{name}", listener.fd), value);
    };
    line("addr", &listen::local_address(listener.fd));
    line("state", "conn_listening");
    line("secs_since_last_cmd", "0");
    lines
}

fn describe_conn(conn: &Conn, now: Seconds) -> Vec<u8> {
    let fd = conn.raw_fd();
    let mut lines = Vec::new();
    let mut line =
        |name: &str, value: &str| reply::stat_line(&mut lines, format!("{fd}:{name}"), value);
    line("addr", &listen::peer_address(fd));
    line("listen_addr", &listen::local_address(fd));
    line("state", conn.state_name());
    line("resps_waiting", &conn.replies_waiting().to_string());
    line(
        "secs_since_last_cmd",
        &now.0.saturating_sub(conn.last_activity.0).to_string(),
    );
    lines
}

/// The whole reply, from the parts of all shards.
pub(crate) fn render(parts: &mut [(RawFd, Vec<u8>)]) -> Vec<u8> {
    parts.sort_by_key(|(fd, _)| *fd);
    let mut out = parts
        .iter()
        .flat_map(|(_, lines)| lines)
        .copied()
        .collect::<Vec<u8>>();
    out.extend_from_slice(reply::END);
    out
}

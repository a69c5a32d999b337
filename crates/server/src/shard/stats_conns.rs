//! `stats conns`: every connection and listener by its descriptor, some at a time.

use corecached_engine::Seconds;

use crate::conn::Conn;
use crate::ids::ShardId;
use crate::listen::{self, Transport};
use crate::operation::Pairs;

use super::Net;
use super::acceptor::Listener;

/// Connections described in one step: two system calls each, some 100 us for all.
const CONNS_PER_STEP: usize = 32;
/// Places of the table looked at in one step; many may be empty.
const PLACES_PER_STEP: usize = 4096;

impl Net {
    /// Describes some connections of the shard, from place `from` of its table on. Returns names and values, and the
    /// place where the next step begins, if there is more. The first step describes listeners, too: shard 0 those that
    /// accept, and every shard its UDP sockets, which do a connection's work.
    pub(super) fn describe_conns(&self, from: u32) -> (Pairs, Option<u32>) {
        let mut pairs = Pairs::default();
        if from == 0 {
            for listener in self.acceptor.listeners() {
                let transport = self.shared.admission.listener(listener.id).transport;
                if self.id == ShardId(0) || transport == Transport::Udp {
                    pairs.append(&describe_listener(listener, transport));
                }
            }
        }
        let (mut described, mut next) = (0, from as usize);
        let end = self.conns.places().min(next + PLACES_PER_STEP);
        while next < end && described < CONNS_PER_STEP {
            if let Some(conn) = self.conns.at(next).filter(|conn| !conn.is_datagram()) {
                pairs.append(&describe_conn(conn, self.now));
                described += 1;
            }
            next += 1;
        }
        (pairs, (next < self.conns.places()).then_some(next as u32))
    }
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

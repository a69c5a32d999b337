//! The slow log (`-o slow_us`): commands that took long are told to `watch slow` and to the server's own log.
//!
//! ```text
//!   meter: Slow --+--> a line for those who watch, bounded as all lines for watchers are
//!                 +--> a message on stderr, at most LINES_PER_SECOND_MAX of each shard
//! ```

use corecached_protocol::event::{self, Peer, SlowCommands};
use corecached_protocol::text::Streams;
use corecached_protocol::uri;
use tracing::warn;

use crate::conn::Link;
use crate::ids::ConnId;
use crate::latency::Slow;
use crate::process::SLOW_LOG;

use super::Net;

impl Net {
    /// Tells watchers and the log of commands of a connection that took long.
    #[cold]
    pub(super) fn tell_slow(&mut self, id: ConnId, slow: &Slow) {
        let dropped = self.slow_lines.admit(self.now);
        let is_watched = self.log.wants(Streams::SLOW);
        if dropped.is_none() && !is_watched {
            return;
        }
        let peer = self.peer_of(id);
        let times = &slow.times;
        let us = |ns: u64| ns / 1000;
        let other_shard = us(times.other_shard.unwrap_or(0));
        let (queue, execution) = (us(times.queue), us(times.execution));
        let (sending, total) = (us(times.sending), us(times.total));
        let (kind, commands, bytes) = (slow.kind.name(), slow.commands, slow.bytes);
        if is_watched {
            let slow = SlowCommands {
                peer: &peer,
                kind,
                key: slow.key.key(),
                commands,
                stages: &[
                    ("queue", queue),
                    ("execution", execution),
                    ("other_shard", other_shard),
                    ("sending", sending),
                ],
                total_us: total,
                bytes,
            };
            self.log.add(Streams::SLOW, |out| event::slow(out, &slow));
        }
        if let Some(dropped) = dropped {
            let mut key = Vec::new();
            uri::encode(&mut key, slow.key.key());
            let key = String::from_utf8_lossy(&key);
            let client = format!("{}:{}:{}", peer.transport, peer.address, peer.port);
            warn!(
                target: SLOW_LOG,
                shard = self.id.0,
                client,
                cmd = kind,
                key = &*key,
                commands,
                queue_us = queue,
                execution_us = execution,
                other_shard_us = other_shard,
                sending_us = sending,
                total_us = total,
                bytes,
                dropped,
                "slow"
            );
        }
    }

    /// The client of a connection.
    fn peer_of(&mut self, id: ConnId) -> Peer {
        let Some(conn) = self.conns.get_mut(id) else {
            return crate::listen::peer(-1);
        };
        let descriptor = conn.raw_fd();
        let Link::Datagram { slot, .. } = *conn.link() else {
            return crate::listen::peer(descriptor);
        };
        let address = self.udp.sender(slot).peer.address();
        Peer {
            address: address.map_or_else(String::new, |address| address.ip().to_string()),
            port: address.map_or(0, |address| address.port()),
            transport: "udp",
            descriptor,
        }
    }
}

//! The slow log (`-o slow_us`): commands that took long are told to `watch slow` and to the server's own log.
//!
//! ```text
//!   meter: Slow --+--> a line for those who watch, bounded as all lines for watchers are
//!                 +--> a message on stderr, at most LINES_PER_SECOND_MAX of each shard
//! ```

use corecached_engine::Seconds;
use corecached_protocol::event::{self, Peer, SlowCommands};
use corecached_protocol::text::Streams;
use corecached_protocol::uri;
use tracing::warn;

use crate::conn::Link;
use crate::ids::ConnId;
use crate::latency::Slow;
use crate::process::SLOW_LOG;

use super::Net;

/// Most messages of a shard on stderr in a second of the server's clock. Whoever reads stderr may be slow, too, and the
/// shard writes there itself.
const LINES_PER_SECOND_MAX: u32 = 10;

/// The messages of the second.
#[derive(Debug)]
pub(super) struct SlowLines {
    second: Seconds,
    written: u32,
    /// Messages that were left out since the last one.
    dropped: u64,
}

impl SlowLines {
    /// No messages yet.
    pub(super) fn new(now: Seconds) -> SlowLines {
        SlowLines {
            second: now,
            written: 0,
            dropped: 0,
        }
    }

    /// Whether another message may be written; then with how many were left out before it.
    fn admit(&mut self, now: Seconds) -> Option<u64> {
        if self.second != now {
            (self.second, self.written) = (now, 0);
        }
        if self.written >= LINES_PER_SECOND_MAX {
            self.dropped += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.dropped))
    }
}

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
        let address = self.datagrams.sender(slot).peer.address();
        Peer {
            address: address.map_or_else(String::new, |address| address.ip().to_string()),
            port: address.map_or(0, |address| address.port()),
            transport: "udp",
            descriptor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_second_are_bounded_and_those_left_out_are_counted() {
        let mut lines = SlowLines::new(Seconds(0));
        for second in 1..4 {
            let before = if second == 1 { 0 } else { 90 };
            for number in 0..100 {
                let expected = match number {
                    0 => Some(before),
                    1..LINES_PER_SECOND_MAX => Some(0),
                    _ => None,
                };
                assert_eq!(lines.admit(Seconds(second)), expected);
            }
        }
    }
}

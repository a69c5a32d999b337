//! `watch`: after its `OK`, a connection only receives lines.

use corecached_protocol::reply;
use corecached_protocol::text::Streams;

use crate::replies::ReplyBuffers;

use super::{Conn, Cx, Phase};

/// Executes `watch`.
pub(super) fn watch(conn: &mut Conn, streams: Result<Streams, &'static [u8]>, cx: &mut Cx<'_>) {
    let refusal = match streams {
        _ if !cx.shared.globals.config.watch_enabled => reply::WATCH_DISABLED,
        _ if conn.owes_replies() => reply::WATCH_PIPELINED,
        // A datagram can be answered only once, so it cannot watch.
        _ if conn.is_datagram() => reply::WATCHER_FAILED,
        Err(line) => line,
        Ok(streams) => match cx.shared.watch.add(cx.access.shard, conn.id, streams) {
            None => reply::WATCHER_TOO_MANY,
            Some(watcher) => {
                conn.reply(reply::OK, cx);
                conn.phase = Phase::Watching(watcher);
                return;
            }
        },
    };
    conn.reply(refusal, cx);
}

impl Conn {
    /// Whether the connection only receives lines; everything that it sends is dropped.
    pub(crate) fn is_watching(&self) -> bool {
        matches!(self.phase, Phase::Watching(_))
    }

    /// Takes the lines that wait for the connection, unless its socket is still busy with earlier ones. In that case
    /// they wait in the watcher's buffer, and later lines may get lost.
    pub(crate) fn take_watched(&mut self) {
        if self.send_is_under_way() {
            return;
        }
        if let Phase::Watching(watcher) = &self.phase {
            let lines = watcher.take();
            if !lines.is_empty() {
                self.replies.write(&mut ReplyBuffers::default(), |out| {
                    out.bytes.extend_from_slice(&lines);
                });
            }
        }
    }
}

//! The counters of a shard's network side: written by the shard, shown by `stats`, set back by `stats reset`, and read by nothing that
//! decides anything.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count with one writer, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    total: AtomicU64,
    /// Where it stood when the statistics were last reset.
    shown_from: AtomicU64,
}

impl Counter {
    /// Adds; only the owning shard may.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.total.store(self.total() + n, Ordering::Relaxed);
    }

    /// All that was ever counted: for what decides anything, which no client may set back.
    #[inline]
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// What statistics show.
    pub(crate) fn get(&self) -> u64 {
        let shown_from = self.shown_from.load(Ordering::Relaxed);
        self.total().saturating_sub(shown_from)
    }

    /// Statistics show 0 from now on. Any thread may: nothing of what the writer counts meanwhile is lost.
    fn reset(&self) {
        self.shown_from.store(self.total(), Ordering::Relaxed);
    }
}

/// Counters of one shard's network side.
#[derive(Debug, Default)]
pub(crate) struct NetCounters {
    /// Open connections; also raised by a peer that hands one over.
    pub(crate) curr_connections: AtomicU64,
    /// Connections ever accepted.
    pub(crate) total_connections: Counter,
    /// Connections refused because of `-c`.
    pub(crate) rejected_connections: Counter,
    /// Times accepting stopped because of `-c` or a lack of descriptors.
    pub(crate) listen_disabled: Counter,
    /// Microseconds in which accepting was stopped.
    pub(crate) listen_disabled_us: Counter,
    /// Times a connection had more requests than `-R` in one turn.
    pub(crate) conn_yields: Counter,
    /// Connections closed by `idle_timeout`.
    pub(crate) idle_kicks: Counter,
    /// Attempts to authenticate.
    pub(crate) auth_cmds: Counter,
    /// Those that failed.
    pub(crate) auth_errors: Counter,
    /// Bytes received.
    pub(crate) bytes_read: Counter,
    /// Bytes handed to the kernel.
    pub(crate) bytes_written: Counter,
    /// TLS sessions that began with certificates, not with those of an earlier one.
    pub(crate) ssl_new_sessions: Counter,
    /// TLS handshakes that failed.
    pub(crate) ssl_handshake_errors: Counter,
    /// TLS connections that ended with an error later.
    pub(crate) ssl_proto_errors: Counter,
    /// Passes of the network loop.
    pub(crate) ticks: Counter,
    /// Batches run on a borrowed shard.
    pub(crate) loans: Counter,
    /// Batches sent as messages.
    pub(crate) messages: Counter,
    /// Doorbells rung.
    pub(crate) doorbells: Counter,
    /// Datagrams that were no request, and replies by UDP that could not or may not be sent.
    pub(crate) udp_dropped: Counter,
    /// Connections closed because what was reported of their sends was not what had been sent; a fault of the server.
    pub(crate) streams_in_doubt: Counter,
    /// Operations for keys of other shards.
    pub(crate) remote_ops: Counter,
    /// Times the shard went to sleep in glommio.
    pub(crate) parks: Counter,
    /// Connections taken over from, and handed to, other shards.
    pub(crate) adopted: Counter,
}

impl NetCounters {
    /// `stats reset`.
    pub(crate) fn reset(&self) {
        for counter in [
            &self.total_connections,
            &self.rejected_connections,
            &self.listen_disabled,
            &self.listen_disabled_us,
            &self.conn_yields,
            &self.idle_kicks,
            &self.auth_cmds,
            &self.auth_errors,
            &self.bytes_read,
            &self.bytes_written,
            &self.ssl_new_sessions,
            &self.ssl_handshake_errors,
            &self.ssl_proto_errors,
            &self.ticks,
            &self.loans,
            &self.messages,
            &self.doorbells,
            &self.udp_dropped,
            &self.streams_in_doubt,
            &self.remote_ops,
            &self.parks,
            &self.adopted,
        ] {
            counter.reset();
        }
    }
}

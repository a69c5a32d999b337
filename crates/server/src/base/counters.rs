//! The counters of the network side. One table yields the counters, their sums, `stats reset`, and the lines of `stats`
//! and `stats shards`.
//!
//! ```text
//!   table --+-- NetCounters     one field for each row, a set for each shard
//!           +-- reset           every row shows 0 from then on
//!           +-- tell            the rows of a group, summed over the shards, under the names that statistics give them
//! ```
//!
//! Counters are written where things happen and read by statistics. Nothing that decides anything reads them.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count with one writer, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    total: AtomicU64,
    /// The count when the statistics were last reset.
    shown_from: AtomicU64,
}

impl Counter {
    /// Adds `n`; only the owning shard may do so.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        let total = self.total.load(Ordering::Relaxed);
        self.total.store(total + n, Ordering::Relaxed);
    }

    /// Adds `n`, from any thread. A counter is written either by this function or by [`Counter::add`], never by both.
    pub(crate) fn add_from_anywhere(&self, n: u64) {
        self.total.fetch_add(n, Ordering::Relaxed);
    }

    /// The count since the last reset, as statistics show it.
    fn shown(&self) -> u64 {
        let shown_from = self.shown_from.load(Ordering::Relaxed);
        self.total
            .load(Ordering::Relaxed)
            .saturating_sub(shown_from)
    }

    /// Makes statistics show 0 from now on. Any thread may do so: nothing that the writer counts meanwhile is lost.
    fn reset(&self) {
        let total = self.total.load(Ordering::Relaxed);
        self.shown_from.store(total, Ordering::Relaxed);
    }
}

/// Rows of the table that statistics show together, in the order of the table. Between two groups stand lines from
/// elsewhere, or one of them is shown only under a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// `stats`: connections accepted.
    Accepted,
    /// `stats`: with `-o maxconns_fast`.
    Refused,
    /// `stats`: closed for want of memory for replies.
    ShortOfOutput,
    /// `stats`: closed for want of memory for input.
    ShortOfInput,
    /// `stats`: authentication.
    Auth,
    /// `stats`: with `-o idle_timeout`.
    Idle,
    /// `stats`: bytes received and sent.
    Bytes,
    /// `stats`: times without accepting.
    Listening,
    /// `stats`: turns that were cut short.
    Turns,
    /// `stats`: with `-o ssl_session_cache`.
    TlsSessions,
    /// `stats`: with `-Z`.
    TlsErrors,
    /// `stats shards`: connections and datagrams that come in.
    ShardArrivals,
    /// `stats shards`: pages given.
    ShardPages,
    /// `stats shards`: the loop and its ways to the other shards.
    ShardLoop,
}

/// A row as statistics show it: its group, its name, and its counter.
type Shown = (Group, &'static str, fn(&NetCounters) -> &Counter);

macro_rules! table {
    ($($(#[$doc:meta])* $counter:ident $(, $group:ident $name:literal)*;)*) => {
        /// The counters of one shard's network side.
        #[derive(Debug, Default)]
        pub(crate) struct NetCounters {
            $($(#[$doc])* pub(crate) $counter: Counter,)*
        }

        impl NetCounters {
            fn reset(&self) {
                $(self.$counter.reset();)*
            }
        }

        const SHOWN: &[Shown] = &[$($((Group::$group, $name, |net| &net.$counter),)*)*];
    };
}

table! {
    /// Connections ever accepted.
    total_connections, Accepted "total_connections";
    /// Connections refused because of `-c`.
    rejected_connections, Refused "rejected_connections";
    /// Connections closed because of `-o conn_mem_limit`, with more output than input.
    closed_for_output, ShortOfOutput "response_obj_oom";
    /// Connections closed because of `-o conn_mem_limit`, with more input than output.
    closed_for_input, ShortOfInput "read_buf_oom";
    /// Attempts to authenticate.
    auth_cmds, Auth "auth_cmds";
    /// Attempts to authenticate that failed.
    auth_errors, Auth "auth_errors";
    /// Connections closed by `idle_timeout`.
    idle_kicks, Idle "idle_kicks";
    /// Times accepting stopped because of `-c` or a lack of descriptors.
    listen_disabled, Listening "listen_disabled_num";
    /// Microseconds in which accepting was stopped.
    listen_disabled_us, Listening "time_in_listen_disabled_us";
    /// Times a connection had more requests than `-R` in one turn.
    conn_yields, Turns "conn_yields";
    /// TLS sessions that began with certificates, not with those of an earlier one.
    ssl_new_sessions, TlsSessions "ssl_new_sessions";
    /// TLS handshakes that failed.
    ssl_handshake_errors, TlsErrors "ssl_handshake_errors";
    /// TLS connections that ended with an error later.
    ssl_proto_errors, TlsErrors "ssl_proto_errors";
    /// Connections taken over from other shards.
    adopted, ShardArrivals "adopted_connections";
    /// Datagrams that were no request, and replies by UDP that could not or may not be sent.
    udp_dropped, ShardArrivals "udp_dropped";
    /// Pages that other shards have taken from this one; those shards count them here.
    pages_given, ShardPages "pages_given";
    /// Passes of the network loop.
    ticks, ShardLoop "ticks";
    /// Times the shard went to sleep in glommio.
    parks, ShardLoop "parks";
    /// Operations for keys of other shards.
    remote_ops, ShardLoop "remote_ops";
    /// Batches run on a borrowed shard.
    loans, ShardLoop "loans";
    /// Batches sent as messages.
    messages, ShardLoop "messages";
    /// Doorbells rung.
    doorbells, ShardLoop "doorbells";
    /// Connections closed because the reported sends were not the ones that had been given; a fault of the server.
    streams_in_doubt, ShardLoop "streams_in_doubt";
    /// Bytes received.
    bytes_read, Bytes "bytes_read", ShardLoop "bytes_read";
    /// Bytes handed to the kernel.
    bytes_written, Bytes "bytes_written", ShardLoop "bytes_written";
}

impl NetCounters {
    /// Calls `tell` with the rows of a group, of this shard alone.
    pub(crate) fn tell(&self, group: Group, mut tell: impl FnMut(&'static str, u64)) {
        for (_, name, counter) in rows(group) {
            tell(name, counter(self).shown());
        }
    }
}

fn rows(group: Group) -> impl Iterator<Item = &'static Shown> {
    SHOWN.iter().filter(move |row| row.0 == group)
}

/// The counters of all shards, by shard, and those of the whole process.
#[derive(Debug)]
pub(crate) struct Telemetry {
    shards: Vec<NetCounters>,
    /// `flush_all` commands.
    cmd_flush: Counter,
}

impl Telemetry {
    /// The counters of `shards` shards.
    pub(crate) fn new(shards: usize) -> Telemetry {
        Telemetry {
            shards: (0..shards).map(|_| NetCounters::default()).collect(),
            cmd_flush: Counter::default(),
        }
    }

    /// The counters of the shard with this number.
    #[inline]
    pub(crate) fn of(&self, shard: u16) -> &NetCounters {
        &self.shards[usize::from(shard)]
    }

    /// Counts a `flush_all`.
    pub(crate) fn flushed(&self) {
        self.cmd_flush.add_from_anywhere(1);
    }

    /// The number of `flush_all` commands, as `cmd_flush` shows it.
    pub(crate) fn flushes(&self) -> u64 {
        self.cmd_flush.shown()
    }

    /// Calls `tell` with the rows of a group, each summed over all shards.
    pub(crate) fn tell(&self, group: Group, mut tell: impl FnMut(&'static str, u64)) {
        for (_, name, counter) in rows(group) {
            tell(
                name,
                self.shards.iter().map(|net| counter(net).shown()).sum(),
            );
        }
    }

    /// `conn_mem_closed` of `stats memory`: all connections that were closed for want of memory.
    pub(crate) fn closed_for_memory(&self) -> u64 {
        let closed =
            |net: &NetCounters| net.closed_for_input.shown() + net.closed_for_output.shown();
        self.shards.iter().map(closed).sum()
    }

    /// `stats reset`.
    pub(crate) fn reset(&self) {
        self.cmd_flush.reset();
        for net in &self.shards {
            net.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(telemetry: &Telemetry, group: Group) -> Vec<(&'static str, u64)> {
        let mut told = Vec::new();
        telemetry.tell(group, |name, value| told.push((name, value)));
        told
    }

    #[test]
    fn a_group_is_summed_over_shards_in_the_order_of_the_table() {
        let telemetry = Telemetry::new(2);
        telemetry.of(0).bytes_read.add(5);
        telemetry.of(1).bytes_read.add(7);
        telemetry.of(1).bytes_written.add(1);
        let expected = [("bytes_read", 12), ("bytes_written", 1)];
        assert_eq!(told(&telemetry, Group::Bytes), expected);
        let mut own = Vec::new();
        telemetry
            .of(1)
            .tell(Group::Bytes, |_, value| own.push(value));
        assert_eq!(own, [7, 1]);
    }

    #[test]
    fn every_row_is_shown_and_reset() {
        let telemetry = Telemetry::new(1);
        for (_, _, counter) in SHOWN {
            counter(telemetry.of(0)).add(3);
        }
        telemetry.flushed();
        assert!(SHOWN.iter().all(|row| row.2(telemetry.of(0)).shown() >= 3));
        telemetry.reset();
        assert!(SHOWN.iter().all(|row| row.2(telemetry.of(0)).shown() == 0));
        assert_eq!(telemetry.flushes(), 0);
        telemetry.of(0).ticks.add(2);
        assert_eq!(told(&telemetry, Group::ShardLoop)[0], ("ticks", 2));
    }
}

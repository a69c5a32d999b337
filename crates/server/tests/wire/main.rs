//! Tests over the wire: real server processes, real sockets.
//!
//! ```text
//! activation.rs       sockets that a supervisor hands over, and what it is told
//! transcripts/*.txt   what is sent and what must come back, readable by hand
//! transcript/         parses and plays them: whole, byte by byte, pipelined
//! played.rs           one test per transcript, number of shards and way of playing
//! insight.rs          hot keys, miss ratios at other sizes
//! keys.rs             gets of many keys: order, duplicates, misses
//! listeners.rs        addresses of -l with facts of their own
//! log.rs              lines on standard error as JSON
//! auth.rs             authentication, on every protocol and transport
//! statistics.rs       the names, order and meaning of the statistics
//! stopwatch.rs        time that is not the machine's
//! streams/            every byte of many streams, over each protocol and transport
//! dump.rs             lru_crawler metadump and mgdump, stats sizes and cachedump
//! cpus.rs             CPUs of shards, descriptors
//! tuning.rs           settings at run time, slabs reassign
//! watch.rs            streams of events, fast and slow watchers
//! ends/               the process ends whole: panics, denied system calls, ports that are free afterwards
//! faults/             limits, slow and broken clients, signals, full memory
//! lines.rs            lines longer than a receive buffer
//! latency.rs          how long commands take
//! large.rs            values that are read right into slab memory
//! metrics/            the port of -o metrics
//! concurrent.rs       several clients on the same keys
//! reads.rs            gets that one core answers from another's memory
//! replies.rs          replies that a stream brings, by the parsers of the client
//! recache.rs          who fetches an item anew: one of many clients
//! process.rs          daemon, pid file, change of user, errors at the start
//! shard_port.rs       clients that choose their shard
//! skip.rs             tests that cannot run here
//! top/                corecached top, which watches servers
//! tls/                encrypted connections: certificates, versions, reload, limits
//! udp.rs              datagrams
//! uneven.rs           shards that are not used alike
//! unix_socket.rs      the unix socket
//! warm_restart.rs     items that outlive the process
//! ```
//!
//! `CORECACHED_BIN=/usr/bin/memcached` runs them against another server, which is how they were
//! checked; what differs in memcached before 1.6.41 is marked where it stands.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod activation;
mod auth;
mod client;
mod concurrent;
mod cpus;
mod damaged_restart;
mod dump;
mod ends;
mod expiry;
mod faults;
mod insight;
mod keys;
mod large;
mod latency;
mod lines;
mod listeners;
mod log;
mod metrics;
mod played;
mod process;
mod reads;
mod recache;
mod replies;
mod server;
mod shard_port;
mod skip;
mod statistics;
mod stopwatch;
mod streams;
mod tls;
mod top;
mod transcript;
mod tuning;
mod udp;
mod uneven;
mod unix_socket;
mod verbose;
mod warm_restart;
mod watch;

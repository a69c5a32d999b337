//! `watch`: the events of the server, as lines for clients that ask for them; and the counts of `stats detail`.
//!
//! ```text
//!   shard 0                                  shard 1                        shard of a watcher
//!   operation -> Observer (in the core)      operation -> Observer          connection
//!   connection opened -> EventLog (net)        |                              ^
//!        |                                     |                              | Control::Watched, when the
//!        +-- end of the tick: Watch::publish --+--> Watcher (bounded) --------+ buffer was empty
//! ```
//!
//! Without watchers, an operation tests one number, `Observer::is_idle`. With watchers, its lines are written into the
//! log of the shard that it runs on, bounded by `-o worker_logbuf_size`. At the end of the tick they are appended to
//! each watcher's buffer, bounded by `-o watcher_logbuf_size`: a client that reads too slowly loses lines and is told
//! how many. The locks here are taken only while somebody watches, and never while an operation runs.

mod log;
mod prefixes;

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corecached_protocol::event;
use corecached_protocol::text::Streams;

use crate::base::config::Config;
use crate::ids::{ConnId, ShardId};

pub(crate) use log::{EventLog, Lines};
pub(crate) use prefixes::{Named, PREFIXES_PER_STEP, PrefixCounts, PrefixRows, Prefixes};

pub(crate) use prefixes::PrefixNames;

/// Most watchers at a time.
const WATCHERS_MAX: usize = 20;
/// Room for a `skipped=<n>` line.
const SKIPPED_BYTES_MAX: usize = 32;
/// The bit of `stats detail` among the bits of the streams.
pub(crate) const DETAIL: u16 = 1 << 15;
/// The bit of `-vvv` among the bits of the streams.
pub(crate) const LOOKUPS: u16 = 1 << 14;
/// The bits that are not streams.
const NO_STREAMS: u16 = DETAIL | LOOKUPS;

/// The state of watching that all shards share.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The streams that are watched, with [`DETAIL`] and [`LOOKUPS`].
    wanted: AtomicU16,
    ids: AtomicU64,
    watchers: Mutex<Vec<Arc<Watcher>>>,
    watcher_bytes_max: usize,
    log_bytes_max: usize,
    /// Events written to shards' logs.
    pub(crate) written: AtomicU64,
    /// Events that a shard's log had no room for.
    pub(crate) dropped: AtomicU64,
    /// Lines that a watcher's buffer had no room for.
    pub(crate) skipped: AtomicU64,
    /// Lines put into watchers' buffers.
    pub(crate) sent: AtomicU64,
    prefix_names: PrefixNames,
    prefix_delimiter: u8,
}

/// A connection that watches.
#[derive(Debug)]
pub(crate) struct Watcher {
    shard: ShardId,
    conn: ConnId,
    streams: Streams,
    /// Number of the first event that the watcher may see.
    first_id: u64,
    buffer: Mutex<Buffer>,
}

/// Lines for one watcher.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Lines lost since the last one that found room.
    skipped: u64,
    /// Whether the watcher's shard knows that there is something to take.
    told: bool,
}

impl Watch {
    /// The state without watchers.
    pub(crate) fn new(config: &Config) -> Watch {
        let watch = Watch {
            wanted: AtomicU16::new(0),
            ids: AtomicU64::new(1),
            watchers: Mutex::default(),
            watcher_bytes_max: config.watcher_logbuf_bytes as usize,
            log_bytes_max: config.worker_logbuf_bytes as usize,
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            prefix_names: PrefixNames::default(),
            prefix_delimiter: config.prefix_delimiter,
        };
        watch.count_prefixes(config.detail_enabled);
        watch.show_lookups(config.verbosity > 2);
        watch
    }

    /// The bits of everything that operations have to record; 0 = nothing.
    #[inline]
    fn wanted(&self) -> u16 {
        self.wanted.load(Ordering::Acquire)
    }

    /// Bytes of heap memory that lines for watchers hold.
    pub(crate) fn held_bytes(&self) -> u64 {
        let buffers = self.list();
        let buffers = buffers.iter().map(|it| it.buffer().bytes.capacity() as u64);
        buffers.sum()
    }

    /// The names of the prefixes that are counted.
    pub(crate) fn prefix_names(&self) -> &PrefixNames {
        &self.prefix_names
    }

    /// The byte that ends a prefix.
    pub(crate) fn prefix_delimiter(&self) -> u8 {
        self.prefix_delimiter
    }

    /// Number of prefixes that are counted.
    pub(crate) fn prefixes(&self) -> u32 {
        self.prefix_names.count()
    }

    /// The prefixes that have counts in `rows`, with these counts.
    pub(crate) fn prefixes_named(&self, rows: &PrefixRows) -> Vec<Named> {
        rows.named(&self.prefix_names)
    }

    /// Turns `stats detail` on or off.
    pub(crate) fn count_prefixes(&self, on: bool) {
        self.want(DETAIL, on);
    }

    /// Turns the lookups on stderr (`-vvv`) on or off.
    pub(crate) fn show_lookups(&self, on: bool) {
        self.want(LOOKUPS, on);
    }

    fn want(&self, bit: u16, on: bool) {
        if on {
            self.wanted.fetch_or(bit, Ordering::Release);
        } else {
            self.wanted.fetch_and(!bit, Ordering::Release);
        }
    }

    /// `stats reset`: sets the counts to zero.
    pub(crate) fn reset(&self) {
        for counter in [&self.written, &self.dropped, &self.skipped, &self.sent] {
            counter.store(0, Ordering::Relaxed);
        }
        self.prefix_names.clear();
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Watcher>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of watchers.
    pub(crate) fn watchers(&self) -> u64 {
        self.list().len() as u64
    }

    /// Adds a watcher, if there is room for one. After this returns, every shard records the watcher's streams.
    pub(crate) fn add(
        &self,
        shard: ShardId,
        conn: ConnId,
        streams: Streams,
    ) -> Option<Arc<Watcher>> {
        let mut list = self.list();
        if list.len() >= WATCHERS_MAX {
            return None;
        }
        let watcher = Arc::new(Watcher {
            shard,
            conn,
            streams,
            first_id: self.ids.load(Ordering::Relaxed),
            buffer: Mutex::default(),
        });
        list.push(Arc::clone(&watcher));
        self.set_wanted(&list);
        Some(watcher)
    }

    /// Removes a watcher that has gone.
    pub(crate) fn remove(&self, watcher: &Arc<Watcher>) {
        let mut list = self.list();
        list.retain(|other| !Arc::ptr_eq(other, watcher));
        self.set_wanted(&list);
    }

    fn set_wanted(&self, list: &[Arc<Watcher>]) {
        let streams = list
            .iter()
            .fold(Streams::NOTHING, |all, one| all.with(one.streams));
        let update = |wanted| Some(wanted & NO_STREAMS | streams.bits());
        let (set, fetch) = (Ordering::Release, Ordering::Relaxed);
        // The closure never gives up.
        let _ = self.wanted.fetch_update(set, fetch, update);
    }

    /// Appends a log's lines to the buffers of the watchers of their streams; calls `tell` for each connection that has
    /// lines again.
    pub(crate) fn publish(&self, lines: &Lines, tell: impl Fn(ShardId, ConnId)) {
        self.written.fetch_add(lines.written(), Ordering::Relaxed);
        self.dropped.fetch_add(lines.dropped(), Ordering::Relaxed);
        for watcher in self.list().iter() {
            if watcher.append(lines, self) {
                tell(watcher.shard, watcher.conn);
            }
        }
    }
}

impl Watcher {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the lines that the watcher wants; returns whether its shard is to be told.
    fn append(&self, lines: &Lines, watch: &Watch) -> bool {
        let mut buffer = self.buffer();
        let (mut sent, mut skipped) = (0, 0);
        for (streams, id, line) in lines.iter() {
            if !streams.has(self.streams) || id < self.first_id {
                continue;
            }
            if buffer.bytes.len() + line.len() + SKIPPED_BYTES_MAX > watch.watcher_bytes_max {
                buffer.skipped += 1;
                skipped += 1;
                continue;
            }
            let lost = std::mem::take(&mut buffer.skipped);
            if lost > 0 {
                event::skipped(&mut buffer.bytes, lost);
            }
            buffer.bytes.extend_from_slice(line);
            sent += 1;
        }
        watch.sent.fetch_add(sent, Ordering::Relaxed);
        watch.skipped.fetch_add(skipped, Ordering::Relaxed);
        let tell = !buffer.told && !buffer.bytes.is_empty();
        buffer.told |= tell;
        tell
    }

    /// Takes the watcher's lines; its shard is told again of later ones.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut buffer = self.buffer();
        buffer.told = false;
        std::mem::take(&mut buffer.bytes)
    }
}

//! The log of one shard: lines written since its last tick, each with its stream and number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use corecached_protocol::event;
use corecached_protocol::text::Streams;

use super::Watch;

/// Lines with what watchers choose them by.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Stream, number, and where the line ends.
    ends: Vec<(Streams, u64, usize)>,
    bytes: Vec<u8>,
    dropped: u64,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.dropped == 0
    }

    /// Lines in it.
    pub(super) fn written(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Events that there was no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Each line with its stream and number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Streams, u64, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(streams, id, end)| {
            let line = &self.bytes[std::mem::replace(&mut start, end)..end];
            (streams, id, line)
        })
    }
}

/// Where events become lines.
#[derive(Debug)]
pub(crate) struct EventLog {
    watch: Arc<Watch>,
    streams: Streams,
    lines: Lines,
}

impl EventLog {
    /// An empty log.
    pub(crate) fn new(watch: Arc<Watch>) -> EventLog {
        EventLog {
            watch,
            streams: Streams::NOTHING,
            lines: Lines::default(),
        }
    }

    /// Looks who watches what; at the beginning of a tick. Gives the bits of [`Watch`].
    #[inline]
    pub(crate) fn sync(&mut self) -> u16 {
        let wanted = self.watch.wanted();
        self.streams = Streams::from_bits(wanted & !super::NO_STREAMS);
        wanted
    }

    /// What all shards know of watching.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether anybody watches one of these streams.
    #[inline]
    pub(crate) fn wants(&self, streams: Streams) -> bool {
        self.streams.has(streams)
    }

    /// Writes an event, unless nobody wants to see it; `write` appends the line behind its time and number.
    pub(crate) fn add(&mut self, stream: Streams, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.wants(stream) {
            return;
        }
        let lines = &mut self.lines;
        if lines.bytes.len() >= self.watch.log_bytes_max {
            lines.dropped += 1;
            return;
        }
        let id = self.watch.ids.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        event::head(&mut lines.bytes, now.as_secs(), now.subsec_micros(), id);
        write(&mut lines.bytes);
        lines.ends.push((stream, id, lines.bytes.len()));
    }

    /// Events that were lost before they came here.
    pub(crate) fn add_dropped(&mut self, events: u64) {
        self.lines.dropped += events;
    }

    /// Whether anything has been written since the last tick.
    pub(crate) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Takes what has been written, if anything has.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Lines> {
        (!self.lines.is_empty()).then(|| std::mem::take(&mut self.lines))
    }
}

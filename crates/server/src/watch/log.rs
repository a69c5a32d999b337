//! The log of one shard: the lines written since its last tick, each with its stream and number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use corecached_protocol::event;
use corecached_protocol::text::Streams;

use super::Watch;

/// Lines, with the stream and number by which watchers choose them.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// For each line: its stream, its number, and its end.
    ends: Vec<(Streams, u64, usize)>,
    bytes: Vec<u8>,
    dropped: u64,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.dropped == 0
    }

    /// Number of lines.
    pub(super) fn written(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Number of events that there was no room for.
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

/// Turns events into lines.
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

    /// Reads which streams are watched, at the beginning of a tick. Returns the bits of [`Watch`].
    #[inline]
    pub(crate) fn sync(&mut self) -> u16 {
        let wanted = self.watch.wanted();
        self.streams = Streams::from_bits(wanted & !super::NO_STREAMS);
        wanted
    }

    /// The state of watching that all shards share.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether one of these streams is watched.
    #[inline]
    pub(crate) fn wants(&self, streams: Streams) -> bool {
        self.streams.has(streams)
    }

    /// Writes an event, unless nobody watches its stream; `write` appends the line behind the event's time and number.
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

    /// Counts events that were lost before they came here.
    pub(crate) fn add_dropped(&mut self, events: u64) {
        self.lines.dropped += events;
    }

    /// Whether anything has been written since the last tick.
    pub(crate) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Takes the lines that have been written, if there are any.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Lines> {
        (!self.lines.is_empty()).then(|| std::mem::take(&mut self.lines))
    }
}

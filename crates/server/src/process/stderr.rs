//! Standard error, where the log goes. Whoever reads it may be slow, stopped or stuck: then messages are lost, so that
//! no shard waits for the reader. The next message that is written says how many were lost.
//!
//! ```text
//!   has room ------------------------------> the message is written
//!   full: waits STALL_MAX for room --none--> lost, as are all others until there is room; no message waits again
//!                                            before STALL_PAUSE is over
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Bytes that a pipe with any room takes without blocking, as does a socket: PIPE_BUF of Linux.
const CHUNK_BYTES: usize = 4096;
/// Longest time that a message waits for room. A reader that is only busy, as with `-vv`, loses nothing.
const STALL_MAX: Duration = Duration::from_millis(50);
/// Time after such a wait in which no message waits, so that a stuck reader takes 1% of a shard's time at most.
const STALL_PAUSE: Duration = Duration::from_secs(5);

static SINK: Mutex<Sink> = Mutex::new(Sink::new());

/// Writes a message, with its line end, or loses it. `lost` makes a line of the number of messages that were lost.
pub(super) fn write(message: &[u8], lost: impl FnOnce(u64) -> String) {
    let mut sink = SINK.lock().unwrap_or_else(PoisonError::into_inner);
    sink.write(io::stderr().as_fd(), message, lost);
}

/// What is known of the reader.
#[derive(Debug)]
struct Sink {
    /// Until then no message waits for room.
    impatient_until: Option<Instant>,
    /// Messages that were lost since one was written.
    lost: u64,
    /// Whether the last message was written by half.
    is_torn: bool,
}

impl Sink {
    const fn new() -> Sink {
        Sink {
            impatient_until: None,
            lost: 0,
            is_torn: false,
        }
    }

    fn write(&mut self, to: BorrowedFd<'_>, message: &[u8], lost: impl FnOnce(u64) -> String) {
        let mut text = Vec::new();
        if self.is_torn {
            text.push(b'\n');
        }
        if self.lost > 0 {
            text.extend_from_slice(lost(self.lost).as_bytes());
        }
        text.extend_from_slice(message);
        let mut rest = &text[..];
        while !rest.is_empty() && self.has_room(to) {
            let chunk = &rest[..rest.len().min(CHUNK_BYTES)];
            // An error is as good as a reader who is not there.
            match rustix::io::retry_on_intr(|| rustix::io::write(to, chunk)) {
                Ok(count) if count > 0 => rest = &rest[count..],
                _ => break,
            }
        }
        (self.lost, self.is_torn) = match rest.len() {
            0 => (0, false),
            all if all == text.len() => (self.lost.saturating_add(1), self.is_torn),
            _ => (1, true),
        };
    }

    /// Whether a chunk can be written without blocking, now or in a moment.
    fn has_room(&mut self, to: BorrowedFd<'_>) -> bool {
        if is_writable(to, Duration::ZERO) {
            return true;
        }
        let now = Instant::now();
        if self.impatient_until.is_some_and(|until| now < until) {
            return false;
        }
        let has_room = is_writable(to, STALL_MAX);
        self.impatient_until = (!has_room).then(|| now + STALL_MAX + STALL_PAUSE);
        has_room
    }
}

/// Whether a write would not block, or becomes so in this time. A write that fails does not block.
fn is_writable(to: BorrowedFd<'_>, patience: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    let mut polled = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
    rustix::io::retry_on_intr(|| poll(&mut polled, Some(&timeout))).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{PipeReader, PipeWriter, Read, pipe};
    use std::os::fd::OwnedFd;

    use super::*;

    fn lost(count: u64) -> String {
        format!("{count} lost\n")
    }

    /// A pipe into which lines were written until it was full, and the number of them that are in it.
    fn full() -> (Sink, PipeReader, PipeWriter, u64) {
        let (reader, writer) = pipe().unwrap();
        let mut sink = Sink::new();
        let mut written = 0;
        while sink.lost == 0 {
            sink.write(writer.as_fd(), b"0123456789abcde\n", lost);
            written += 1;
        }
        (sink, reader, writer, written - 1)
    }

    #[test]
    fn a_full_pipe_makes_a_message_wait_once_and_no_other() {
        let (mut sink, _reader, writer, _) = full();
        let begun = Instant::now();
        for _ in 0..10_000 {
            sink.write(writer.as_fd(), b"more\n", lost);
        }
        // Ten thousand waits would take eight minutes.
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert_eq!(sink.lost, 10_001);
    }

    #[test]
    fn the_next_message_that_is_written_says_how_many_were_lost() {
        let (mut sink, mut reader, writer, written) = full();
        sink.write(writer.as_fd(), b"more\n", lost);
        let mut bytes = vec![0; written as usize * 16];
        reader.read_exact(&mut bytes).unwrap();
        sink.write(writer.as_fd(), b"again\n", lost);
        sink.write(writer.as_fd(), b"and again\n", lost);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2 lost\nagain\nand again\n");
    }

    #[test]
    fn a_line_that_was_cut_is_ended_before_the_next() {
        let (mut reader, writer) = pipe().unwrap();
        let mut sink = Sink::new();
        let long = vec![b'x'; 2 << 20];
        sink.write(writer.as_fd(), &long, lost);
        assert!(sink.is_torn);
        let mut bytes = vec![0; CHUNK_BYTES];
        reader.read_exact(&mut bytes).unwrap();
        sink.write(writer.as_fd(), b"next\n", lost);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let rest = text.trim_start_matches('x');
        assert_eq!(rest, "\n1 lost\nnext\n");
    }

    #[test]
    fn who_does_not_read_any_more_is_no_reason_to_end() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut sink = Sink::new();
        sink.write(writer.as_fd(), b"nobody\n", lost);
        assert_eq!((sink.lost, sink.is_torn), (1, false));
        let null = OwnedFd::from(File::options().write(true).open("/dev/null").unwrap());
        sink.write(null.as_fd(), b"nobody\n", lost);
        assert_eq!(sink.lost, 0);
    }
}

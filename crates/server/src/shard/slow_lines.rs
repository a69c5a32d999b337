//! The bound on messages of the slow log on stderr.

use corecached_engine::Seconds;

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
    pub(super) fn admit(&mut self, now: Seconds) -> Option<u64> {
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

//! Received bytes that could not be used yet: the head of a command, or requests that wait for their turn.

/// Kept input; holds no memory while it is empty.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    used: usize,
    /// Bytes that were used up and dropped before, a number that wraps around.
    dropped: u32,
}

/// Facts about a line whose end has not come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OpenLine {
    /// Bytes at the beginning of the input that are known to hold no line end.
    pub(super) searched: usize,
    /// Turns of the connection in which a long line had no end.
    pub(super) turns: u8,
}

impl Input {
    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.used == self.bytes.len()
    }

    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// The bytes not used yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// Adds bytes.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        if self.used > 0 && self.used >= self.bytes.len() / 2 {
            self.bytes.drain(..self.used);
            self.dropped = self.dropped.wrapping_add(self.used as u32);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Where the kept bytes begin and end, in numbers that wrap around. They begin anew when nothing is kept.
    pub(super) fn span(&self) -> (u32, u32) {
        let begin = self.dropped.wrapping_add(self.used as u32);
        (begin, begin.wrapping_add(self.len() as u32))
    }

    /// Takes the buffer, so that it can be read while the connection changes.
    pub(super) fn take(&mut self) -> Input {
        std::mem::take(self)
    }

    /// Puts the buffer back after `used` more bytes of it were used.
    pub(super) fn put_back(&mut self, mut input: Input, used: usize) {
        debug_assert!(self.is_empty(), "input arrived while input was being read");
        input.used += used;
        if !input.is_empty() {
            *self = input;
        }
    }

    /// Whether the kept input begins with a whole line of at most `bytes_max` bytes.
    pub(super) fn has_line(&self, bytes_max: usize) -> bool {
        let rest = self.rest();
        memchr::memchr(b'\n', &rest[..rest.len().min(bytes_max)]).is_some()
    }

    /// Bytes of heap memory that the input holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

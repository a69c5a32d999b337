//! Heap memory of a connection, by purpose. Values in slab memory are not counted here: they belong to `-m`.

/// Bytes of heap memory of one connection, by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Input that could not be used yet.
    pub(crate) input: u32,
    /// Replies: made, awaited, or in a send that the peer does not take.
    pub(crate) output: u32,
    /// Commands that are being worked on (broadcasts, walks, uploads), and encryption.
    pub(crate) work: u32,
}

impl Held {
    /// The sum of all purposes.
    pub(crate) fn total(&self) -> usize {
        self.input as usize + self.output as usize + self.work as usize
    }

    /// Whether most of it is input.
    pub(crate) fn is_mostly_input(&self) -> bool {
        self.input > self.output
    }
}

//! Increments of counters, and the values that they have answered. A counter begins with 1, and again after a flush.
//!
//! ```text
//! increment  |--- 4 ---|
//! increment                |--- 5 ---|          after the first one: its value is larger
//! flush                         |----|
//! increment                         |--- 1 ---|
//! ```

use corecached_simulate::steps;

#[derive(Clone, Copy, Debug)]
struct Span {
    client: usize,
    began: u64,
    /// `None`: not yet.
    ended: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    counter: usize,
    span: Span,
    value: u64,
}

/// All increments and flushes, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    counts: Vec<Count>,
    flushes: Vec<Span>,
}

impl Span {
    fn begin(client: usize) -> Span {
        Span {
            client,
            began: steps(),
            ended: None,
        }
    }

    fn end(&self) -> u64 {
        self.ended.expect("all was answered")
    }
}

impl Counts {
    /// An increment is sent; returns its number.
    pub(crate) fn begin(&mut self, client: usize, counter: usize) -> usize {
        self.counts.push(Count {
            counter,
            span: Span::begin(client),
            value: 0,
        });
        self.counts.len() - 1
    }

    pub(crate) fn end(&mut self, number: usize, value: u64) {
        let count = &mut self.counts[number];
        count.span.ended = Some(steps());
        count.value = value;
    }

    pub(crate) fn begin_flush(&mut self, client: usize) {
        self.flushes.push(Span::begin(client));
    }

    /// The first flush of this client that is under way has been answered.
    pub(crate) fn end_flush(&mut self, client: usize) {
        let mut under_way = self.flushes.iter_mut();
        let flush = under_way.find(|flush| flush.client == client && flush.ended.is_none());
        flush.expect("it was sent").ended = Some(steps());
    }

    /// Panics unless counters could have answered so. Returns the number of answers.
    pub(crate) fn check(&self) -> usize {
        for (number, one) in self.counts.iter().enumerate() {
            let later = self.counts[number + 1..].iter();
            for other in later.filter(|other| other.counter == one.counter) {
                self.check_pair(one, other);
            }
        }
        self.counts.len()
    }

    /// `one` was sent first.
    fn check_pair(&self, one: &Count, other: &Count) {
        let end = one.span.end().max(other.span.end());
        let mut flushes = self.flushes.iter();
        if flushes.any(|flush| flush.began <= end && flush.end() >= one.span.began) {
            return;
        }
        assert_ne!(one.value, other.value, "{one:?} and {other:?}");
        let is_before = one.span.end() < other.span.began || one.span.client == other.span.client;
        assert!(
            !is_before || one.value < other.value,
            "{one:?} is before {other:?}"
        );
    }
}

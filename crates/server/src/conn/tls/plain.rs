//! Replies on their way into records: one pass over a buffer and the values in slab memory that are spliced into it.
//!
//! ```text
//!   Outgoing   bytes  VALUE k 0 40000\r\n|\r\nEND\r\n
//!              insert                    ^ 40000 bytes of slab memory
//!   pieces            [VALUE...][0 .......... 40000][\r\nEND\r\n]
//!   records           [16384 bytes, joined  ][16384, in place][the rest, joined]
//! ```
//!
//! A record is made of one run of memory. Short pieces are joined in a stage buffer first; a record that fits into a
//! large value is encrypted from where the value lies.

use corecached_reactor::{Insert, Outgoing, Progress};
use corecached_tls::RECORD_BYTES_MAX;

/// Replies, and how much of them is encrypted.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    outgoing: Outgoing,
    progress: Progress,
    /// Bytes that are not encrypted yet.
    left: usize,
}

impl Plain {
    /// Replies of which nothing is encrypted yet.
    pub(crate) fn new(outgoing: Outgoing) -> Plain {
        Plain {
            left: outgoing.len(),
            outgoing,
            ..Plain::default()
        }
    }

    /// Bytes that are still to be encrypted.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Bytes of heap memory held.
    pub(crate) fn held_bytes(&self) -> usize {
        crate::replies::held(&self.outgoing)
    }

    /// The next piece that lies in one place, at most `max` bytes of it; empty at the end.
    fn piece(&mut self, max: usize) -> &[u8] {
        // SAFETY: the progress belongs to this reply alone, whose inserts stay until they are given back
        // (`into_parts`).
        let Some((ptr, len)) = (unsafe { self.progress.piece(&self.outgoing) }) else {
            return &[];
        };
        // SAFETY: the piece lies in an insert, which stays as argued above, or in the buffer; the result borrows
        // `self`, so neither is given back meanwhile.
        unsafe { std::slice::from_raw_parts(ptr, len.min(max)) }
    }

    /// Marks the first `length` bytes of the piece as done.
    fn advance(&mut self, length: usize) {
        self.left -= length;
        self.progress.advance(length);
    }

    /// Calls `seal` with the plaintext of the next record and marks it as done. `stage` is a buffer to join pieces in.
    pub(crate) fn next_record<R>(
        &mut self,
        stage: &mut Vec<u8>,
        seal: impl FnOnce(&[u8]) -> R,
    ) -> R {
        let wanted = self.left.min(RECORD_BYTES_MAX);
        let piece = self.piece(wanted);
        if piece.len() == wanted {
            let result = seal(piece);
            self.advance(wanted);
            return result;
        }
        stage.clear();
        while stage.len() < wanted {
            let piece = self.piece(wanted - stage.len());
            stage.extend_from_slice(piece);
            let length = piece.len();
            self.advance(length);
        }
        seal(stage)
    }

    /// The buffer and the inserts, once everything is encrypted or nothing more will be.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<Insert>) {
        (self.outgoing.bytes, self.outgoing.inserts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(at: usize, memory: &[u8]) -> Insert {
        // SAFETY: the tests keep the memory until they are through.
        unsafe { Insert::whole(at, memory.as_ptr(), memory.len(), 1) }
    }

    fn records(outgoing: Outgoing) -> Vec<Vec<u8>> {
        let mut plain = Plain::new(outgoing);
        let (mut stage, mut records) = (Vec::new(), Vec::new());
        while plain.left() > 0 {
            plain.next_record(&mut stage, |record| records.push(record.to_vec()));
        }
        records
    }

    #[test]
    fn pieces_become_full_records_in_order() {
        let large: Vec<u8> = (0..50_000).map(|n| n as u8).collect();
        let small = b"small".to_vec();
        let outgoing = Outgoing {
            bytes: b"head\r\ntail\r\n".to_vec(),
            inserts: vec![insert(6, &large), insert(6, &small), insert(12, &small)],
        };
        let wanted = [b"head\r\n", &large[..], &small, b"tail\r\n", &small].concat();
        let records = records(outgoing);
        assert_eq!(records.len(), wanted.len().div_ceil(RECORD_BYTES_MAX));
        assert!(records.concat() == wanted);
        assert!(
            records[..3]
                .iter()
                .all(|record| record.len() == RECORD_BYTES_MAX)
        );
    }

    #[test]
    fn every_length_around_a_record_is_right() {
        for length in RECORD_BYTES_MAX - 10..RECORD_BYTES_MAX + 10 {
            let value: Vec<u8> = (0..length).map(|n| (n * 3) as u8).collect();
            let outgoing = Outgoing {
                bytes: b"<>".to_vec(),
                inserts: vec![insert(1, &value)],
            };
            let wanted = [b"<", &value[..], b">"].concat();
            assert!(records(outgoing).concat() == wanted, "{length}");
        }
        assert!(records(Outgoing::default()).is_empty());
    }
}

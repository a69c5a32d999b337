//! Which pieces of memory a send still has to pass to the kernel. Pure.

use libc::iovec;

use crate::event::Outgoing;

/// What one system call takes (`UIO_MAXIOV`).
pub(crate) const PIECES_MAX: usize = 1024;

/// The most bytes of one send; its result is an `i32`, and the kernel cuts at 2 GiB less a page.
pub(crate) const CHUNK_BYTES_MAX: usize = 1 << 30;

/// Appends the pieces of `outgoing` from byte `skip` on to `pieces`, as many as one send takes; returns their bytes.
pub(crate) fn gather(outgoing: &Outgoing, skip: usize, pieces: &mut Vec<iovec>) -> usize {
    let mut chunk = Chunk {
        pieces,
        skip,
        bytes: 0,
    };
    let mut from = 0;
    for insert in &outgoing.inserts {
        chunk.add(outgoing.bytes[from..insert.at].as_ptr(), insert.at - from);
        chunk.add(insert.ptr, insert.len);
        from = insert.at;
        if chunk.is_full() {
            return chunk.bytes;
        }
    }
    let rest = &outgoing.bytes[from..];
    chunk.add(rest.as_ptr(), rest.len());
    chunk.bytes
}

struct Chunk<'a> {
    pieces: &'a mut Vec<iovec>,
    skip: usize,
    bytes: usize,
}

impl Chunk<'_> {
    fn is_full(&self) -> bool {
        self.pieces.len() == PIECES_MAX || self.bytes == CHUNK_BYTES_MAX
    }

    fn add(&mut self, start: *const u8, len: usize) {
        let skipped = self.skip.min(len);
        self.skip -= skipped;
        let take = (len - skipped).min(CHUNK_BYTES_MAX - self.bytes);
        if take == 0 || self.is_full() {
            return;
        }
        self.bytes += take;
        self.pieces.push(iovec {
            iov_base: start.wrapping_add(skipped).cast_mut().cast(),
            iov_len: take,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Insert;

    fn insert(at: usize, memory: &[u8]) -> Insert {
        let (ptr, len) = (memory.as_ptr(), memory.len());
        Insert {
            at,
            ptr,
            len,
            cookie: 0,
        }
    }

    fn joined(pieces: &[iovec]) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in pieces {
            // SAFETY: the pieces point into vectors of the test, which are alive.
            all.extend_from_slice(unsafe {
                std::slice::from_raw_parts(piece.iov_base.cast::<u8>(), piece.iov_len)
            });
        }
        all
    }

    #[test]
    fn resumes_at_every_byte() {
        let value = b"value".to_vec();
        let outgoing = Outgoing {
            bytes: b"headtail".to_vec(),
            inserts: vec![
                insert(0, &value),
                insert(4, &value),
                insert(4, &value),
                insert(8, &value),
            ],
        };
        let whole = b"valueheadvaluevaluetailvalue";
        assert_eq!(outgoing.len(), whole.len());
        for skip in 0..=whole.len() {
            let mut pieces = Vec::new();
            assert_eq!(gather(&outgoing, skip, &mut pieces), whole.len() - skip);
            assert_eq!(joined(&pieces), &whole[skip..]);
            assert!(pieces.iter().all(|piece| piece.iov_len > 0));
        }
    }

    #[test]
    fn splits_at_the_limit_of_pieces() {
        let value = b"v".to_vec();
        let bytes = vec![b'h'; 3000];
        let inserts = (0..3000).map(|at| insert(at, &value)).collect();
        let outgoing = Outgoing { bytes, inserts };
        let (mut all, mut calls) = (Vec::new(), 0);
        while all.len() < outgoing.len() {
            let mut pieces = Vec::new();
            let bytes = gather(&outgoing, all.len(), &mut pieces);
            assert!(bytes > 0 && pieces.len() <= PIECES_MAX);
            all.extend(joined(&pieces));
            calls += 1;
        }
        assert_eq!(calls, 6);
        assert_eq!(all, b"vh".repeat(3000));
    }

    #[test]
    fn splits_at_the_limit_of_bytes() {
        // The pointers are never followed: a huge insert needs no huge memory.
        let huge = Insert {
            at: 0,
            ptr: std::ptr::dangling(),
            len: CHUNK_BYTES_MAX + 5,
            cookie: 0,
        };
        let outgoing = Outgoing {
            bytes: Vec::new(),
            inserts: vec![huge],
        };
        let mut pieces = Vec::new();
        assert_eq!(gather(&outgoing, 0, &mut pieces), CHUNK_BYTES_MAX);
        assert_eq!(gather(&outgoing, CHUNK_BYTES_MAX, &mut Vec::new()), 5);
    }
}

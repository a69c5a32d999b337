//! Which pieces of memory a send still has to pass to the kernel. Pure.

use libc::iovec;

use crate::outgoing::{Outgoing, Progress};

/// Pieces that one system call takes at most. The kernel would take four times as many (`UIO_MAXIOV`), but the next
/// piece of a large value is found by looking at the piece before it, which costs a cache miss for each.
pub(crate) const PIECES_MAX: usize = 256;

/// The most bytes of one send; its result is an `i32`, and the kernel cuts at 2 GiB less a page.
pub(crate) const CHUNK_BYTES_MAX: usize = 1 << 30;

/// Appends the pieces of `outgoing` from `from` on to `pieces`, as many as one send takes; returns the sum of their
/// bytes.
///
/// # Safety
/// As [`Progress::piece`].
pub(crate) unsafe fn gather(
    outgoing: &Outgoing,
    mut from: Progress,
    pieces: &mut Vec<iovec>,
) -> usize {
    let mut bytes = 0;
    while pieces.len() < PIECES_MAX && bytes < CHUNK_BYTES_MAX {
        // SAFETY: the caller's promise.
        let Some((start, len)) = (unsafe { from.piece(outgoing) }) else {
            break;
        };
        let take = len.min(CHUNK_BYTES_MAX - bytes);
        from.advance(take);
        bytes += take;
        pieces.push(iovec {
            iov_base: start.cast_mut().cast(),
            iov_len: take,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::{Chain, Insert, Run};

    fn gathered(outgoing: &Outgoing, skip: usize) -> Vec<iovec> {
        let (mut progress, mut pieces) = (Progress::default(), Vec::new());
        // SAFETY: the progress is this one's alone.
        unsafe { progress.skip(outgoing, skip) };
        // SAFETY: as above.
        let bytes = unsafe { gather(outgoing, progress, &mut pieces) };
        assert_eq!(bytes, pieces.iter().map(|piece| piece.iov_len).sum());
        pieces
    }

    fn insert(at: usize, memory: &[u8]) -> Insert {
        // SAFETY: the memory that the inserts of a test refer to lives as long as the test.
        unsafe { Insert::whole(at, memory.as_ptr(), memory.len(), 0) }
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
            let pieces = gathered(&outgoing, skip);
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
            let pieces = gathered(&outgoing, all.len());
            assert!(!pieces.is_empty() && pieces.len() <= PIECES_MAX);
            all.extend(joined(&pieces));
            calls += 1;
        }
        assert_eq!(calls, 6000_usize.div_ceil(PIECES_MAX));
        assert_eq!(all, b"vh".repeat(3000));
    }

    /// Reads a link of a test: the number of a run in the table at `base`.
    unsafe fn follow(base: *const u8, link: u64) -> (*const u8, usize, u64) {
        let runs = base.cast::<(&[u8], u64)>();
        // SAFETY: the tests hand over the address of a table that has the run.
        let (run, next) = unsafe { *runs.add(link as usize) };
        (run.as_ptr(), run.len(), next)
    }

    /// An insert of the chain of runs that begins with the second run of a table.
    fn chained(table: &[(&[u8], u64)], len: usize) -> Insert {
        let (run, link) = table[1];
        let chain = Chain {
            base: table.as_ptr().cast(),
            link,
            follow,
        };
        let first = Run {
            ptr: run.as_ptr(),
            len: run.len(),
            chain: Some(chain),
        };
        // SAFETY: the tables of the tests live as long as the inserts.
        unsafe { Insert::new(1, len, first, 0) }
    }

    #[test]
    fn runs_of_a_chain_are_found_one_after_the_other() {
        let table: [(&[u8], u64); 5] = [
            (b"", 0),
            (b"first", 3),
            (b"last", 0),
            (b"second", 4),
            (b"", 2),
        ];
        let value = || chained(&table, b"firstsecondlast".len());
        let outgoing = Outgoing {
            bytes: b"<>".to_vec(),
            inserts: vec![value(), insert(2, b"!"), value()],
        };
        let whole = b"<firstsecondlast>!firstsecondlast";
        assert_eq!(outgoing.len(), whole.len());
        for skip in 0..=whole.len() {
            assert_eq!(joined(&gathered(&outgoing, skip)), &whole[skip..]);
        }
        let pieces: Vec<&[u8]> = outgoing.pieces().collect();
        assert_eq!(pieces.concat(), whole);
    }

    #[test]
    fn what_lies_behind_the_length_is_not_sent() {
        let table: [(&[u8], u64); 4] = [
            (b"", 0),
            (b"first", 2),
            (b"last and more", 3),
            (b"never looked at", 9),
        ];
        let value = || chained(&table, b"firstlast".len());
        let outgoing = Outgoing {
            bytes: b"<>".to_vec(),
            inserts: vec![value(), value()],
        };
        let whole = b"<firstlastfirstlast>";
        assert_eq!(outgoing.len(), whole.len());
        for skip in 0..=whole.len() {
            assert_eq!(joined(&gathered(&outgoing, skip)), &whole[skip..]);
        }
    }

    #[test]
    fn splits_at_the_limit_of_bytes() {
        // SAFETY: no code follows the pointer, so a huge insert needs no huge memory.
        let huge = unsafe { Insert::whole(0, std::ptr::dangling(), CHUNK_BYTES_MAX + 5, 0) };
        let outgoing = Outgoing {
            bytes: Vec::new(),
            inserts: vec![huge],
        };
        for (skip, bytes) in [(0, CHUNK_BYTES_MAX), (CHUNK_BYTES_MAX, 5)] {
            let pieces = gathered(&outgoing, skip);
            assert_eq!(pieces.len(), 1);
            assert_eq!(pieces[0].iov_len, bytes);
        }
    }
}

//! Memory for the next bytes of a large value: pieces of slab chunks that are filled one after the other, by copying or
//! straight from the socket.
//!
//! ```text
//!   staged value   | filled ................ | window: first piece | piece | piece |  not asked for yet ...
//! ```
//!
//! This is the only file of `conn` that follows raw pointers. They are valid because a [`Space`] belongs to its holder
//! alone until the staged value is committed or aborted, and an upload drops its window before it does either.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use corecached_engine::{Space, write_space};
use socket2::{MaybeUninitSlice, SockRef};

/// Pieces of one read: 2 MiB in chunks of the default size.
const PIECES_MAX: usize = 64;

/// The number of bytes that a read has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    /// Bytes read into the window.
    pub(super) inside: usize,
    /// Bytes read behind the window.
    pub(super) behind: usize,
}

impl Filled {
    /// The sum of both.
    pub(super) fn bytes(self) -> usize {
        self.inside + self.behind
    }
}

/// Result of one read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DirectRead {
    /// Bytes that there was room for.
    pub(super) room: usize,
    /// Bytes that came.
    pub(super) filled: Filled,
}

/// Memory that is to be filled.
#[derive(Debug, Default)]
pub(super) struct Window {
    pieces: VecDeque<Space>,
    bytes: usize,
}

impl Extend<Space> for Window {
    fn extend<T: IntoIterator<Item = Space>>(&mut self, pieces: T) {
        for piece in pieces {
            self.bytes += piece.len;
            self.pieces.push_back(piece);
        }
    }
}

impl Window {
    /// Bytes that can still be filled in.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Whether the window is full, or has no memory yet.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Copies as many of `bytes` as fit into the window; returns their number.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let whole = bytes.len().min(self.bytes);
        let mut rest = &bytes[..whole];
        while !rest.is_empty() {
            let Some(piece) = self.pieces.front() else {
                break;
            };
            let (now, later) = rest.split_at(rest.len().min(piece.len));
            // SAFETY: the piece is memory of the staged value that nobody else writes to, and `now` is no longer than
            // it.
            unsafe { write_space(piece.ptr, now) };
            self.advance(now.len());
            rest = later;
        }
        whole
    }

    /// Reads as much as `socket` has and as fits, into the window and then into `behind`. Zero bytes mean the end of
    /// the stream.
    ///
    /// # Errors
    /// Errors of the socket; `WouldBlock` if it has nothing to read.
    pub(super) fn read(&mut self, socket: BorrowedFd<'_>, behind: &mut [u8]) -> io::Result<Filled> {
        let mut slices: [MaybeUninitSlice<'_>; PIECES_MAX + 1] =
            std::array::from_fn(|_| MaybeUninitSlice::new(&mut []));
        let mut used = 0;
        for piece in self.pieces.iter().take(PIECES_MAX) {
            // SAFETY: the piece is memory of the staged value that nobody else refers to; the slice ends with this
            // call.
            let bytes = unsafe {
                std::slice::from_raw_parts_mut(piece.ptr.cast::<MaybeUninit<u8>>(), piece.len)
            };
            slices[used] = MaybeUninitSlice::new(bytes);
            used += 1;
        }
        if used == self.pieces.len() {
            // SAFETY: initialised bytes may be seen as perhaps uninitialised ones by a writer that writes only
            // initialised bytes to them, as the kernel does.
            let bytes = unsafe {
                std::slice::from_raw_parts_mut(
                    behind.as_mut_ptr().cast::<MaybeUninit<u8>>(),
                    behind.len(),
                )
            };
            slices[used] = MaybeUninitSlice::new(bytes);
            used += 1;
        }
        let (count, _) = SockRef::from(&socket)
            .recv_vectored_with_flags(&mut slices[..used], libc::MSG_DONTWAIT)?;
        let inside = count.min(self.bytes);
        self.advance(inside);
        let behind = count - inside;
        Ok(Filled { inside, behind })
    }

    /// Marks the next `bytes` bytes as filled.
    fn advance(&mut self, mut bytes: usize) {
        self.bytes -= bytes;
        while let Some(piece) = self.pieces.front_mut() {
            if bytes < piece.len {
                piece.ptr = piece.ptr.wrapping_add(bytes);
                piece.len -= bytes;
                return;
            }
            bytes -= piece.len;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// The bytes that one read brings, into the window and behind it.
    fn read(window: &mut Window, own: &UnixStream, behind: &mut [u8]) -> (usize, usize) {
        let filled = window.read(own.as_fd(), behind).unwrap();
        (filled.inside, filled.behind)
    }

    /// A window of pieces of these sizes over `memory`, which consists of words as slab memory does.
    fn window(memory: &mut [u64], sizes: &[usize]) -> Window {
        let mut window = Window::default();
        let mut at = memory.as_mut_ptr().cast::<u8>();
        for &len in sizes {
            window.extend([Space { ptr: at, len }]);
            at = at.wrapping_add(len);
        }
        assert!(window.len() <= size_of_val(memory));
        window
    }

    fn bytes_of(memory: &[u64]) -> Vec<u8> {
        memory.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn is_filled_across_pieces_by_any_steps() {
        let text: Vec<u8> = (0..100).collect();
        for step in 1..=100 {
            let mut memory = [0; 12];
            let mut window = window(&mut memory, &[1, 30, 2, 57]);
            let used: usize = text.chunks(step).map(|piece| window.write(piece)).sum();
            assert_eq!(used, 90, "step {step}");
            assert!(window.is_empty());
            assert_eq!(bytes_of(&memory)[..90], text[..90], "step {step}");
        }
    }

    #[test]
    fn reads_what_is_there_and_what_follows_behind_it() {
        let (mut peer, own) = UnixStream::pair().unwrap();
        let mut memory = [0; 2];
        let mut window = window(&mut memory, &[4, 6]);
        let mut behind = [0; 8];
        let nothing = window.read(own.as_fd(), &mut behind).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        peer.write_all(b"abc").unwrap();
        assert_eq!(read(&mut window, &own, &mut behind), (3, 0));
        peer.write_all(b"defghij\r\nget").unwrap();
        assert_eq!(read(&mut window, &own, &mut behind), (7, 5));
        assert_eq!(&bytes_of(&memory)[..10], b"abcdefghij");
        assert_eq!(&behind[..5], b"\r\nget");
        drop(peer);
        assert_eq!(read(&mut window, &own, &mut behind), (0, 0));
    }

    #[test]
    fn a_window_of_too_many_pieces_for_one_read_takes_several() {
        let (mut peer, own) = UnixStream::pair().unwrap();
        let mut memory = [0; 3 * PIECES_MAX / 8];
        let text: Vec<u8> = (0..3 * PIECES_MAX).map(|at| at as u8).collect();
        let mut window = window(&mut memory, &[1; 3 * PIECES_MAX]);
        peer.write_all(&text).unwrap();
        peer.write_all(b"!").unwrap();
        let mut behind = [0; 8];
        for _ in 0..2 {
            assert_eq!(read(&mut window, &own, &mut behind), (PIECES_MAX, 0));
        }
        assert_eq!(read(&mut window, &own, &mut behind), (PIECES_MAX, 1));
        assert_eq!(bytes_of(&memory), text);
    }
}

//! The input of the reactor: bytes to send, in a buffer and in memory outside of it.

/// Bytes that are sent from where they lie instead of being copied into [`Outgoing::bytes`].
///
/// An insert is the right to read its bytes. It is made by an unsafe function, whose caller promises that the bytes
/// stay. It cannot be copied, so code that frees the memory takes the insert by value. The default is an insert of no
/// bytes.
#[derive(Debug, Default)]
pub struct Insert {
    /// The bytes go out just before `bytes[at]`; `at == bytes.len()` puts them last. Ascending within a send.
    at: usize,
    /// How many bytes all runs have together; more memory may lie behind them.
    len: usize,
    /// The run with the first bytes.
    first: Run,
    /// The caller's own note.
    cookie: u64,
}

impl Insert {
    /// `len` bytes that begin in `first`, just before `bytes[at]`. `cookie` is a note of the caller's own.
    ///
    /// # Safety
    /// As long as this insert exists, the bytes of all runs, and the links from one run to the next, are valid and
    /// unchanged for every thread. The memory behind the `len` bytes may change.
    pub unsafe fn new(at: usize, len: usize, first: Run, cookie: u64) -> Self {
        Self {
            at,
            len,
            first,
            cookie,
        }
    }

    /// Bytes that lie in one place.
    ///
    /// # Safety
    /// As long as this insert exists, the bytes are valid and unchanged, for every thread.
    pub unsafe fn whole(at: usize, ptr: *const u8, len: usize, cookie: u64) -> Self {
        let chain = None;
        let first = Run { ptr, len, chain };
        // SAFETY: the caller's promise; there is one run.
        unsafe { Self::new(at, len, first, cookie) }
    }

    /// The place of the insert's bytes among those of the buffer.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The number of the insert's bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The caller's note; 0 in an insert of no bytes.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The caller's note, from an insert whose memory is not needed any more.
    pub fn into_cookie(self) -> u64 {
        self.cookie
    }

    /// Moves the insert out of a buffer into another one, in which its place is `at`. An insert of no bytes stays
    /// behind.
    #[must_use]
    pub fn take_to(&mut self, at: usize) -> Insert {
        Insert {
            at,
            ..std::mem::take(self)
        }
    }
}

/// Bytes in one place. A value may lie in many runs, each of which leads to the next: making an insert takes the same
/// time whatever its length, and the runs are looked for as they are sent.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Where the bytes begin.
    pub ptr: *const u8,
    /// The number of bytes.
    pub len: usize,
    /// The link to the next run; `None` in the last one.
    pub chain: Option<Chain>,
}

impl Default for Run {
    fn default() -> Self {
        Run {
            ptr: std::ptr::null(),
            len: 0,
            chain: None,
        }
    }
}

/// The link from one run to the next.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Handed to `follow`.
    pub base: *const u8,
    /// Handed to `follow`.
    pub link: u64,
    /// Finds the run. The memory that it reads must be valid as long as that of the insert.
    pub follow: Follow,
}

/// Finds a run by `base` and `link` of a [`Chain`]: where it begins, its length, and the link to the next, 0 at the
/// end.
pub type Follow = unsafe fn(base: *const u8, link: u64) -> (*const u8, usize, u64);

impl Run {
    /// The run after this one.
    ///
    /// # Safety
    /// The memory of the insert is still valid and unchanged.
    unsafe fn next(&self) -> Option<Run> {
        let chain = self.chain?;
        // SAFETY: base and link belong together and to `follow`, and the memory that `follow` reads is as valid as the
        // insert.
        let (ptr, len, link) = unsafe { (chain.follow)(chain.base, chain.link) };
        let chain = (link != 0).then_some(Chain { link, ..chain });
        Some(Run { ptr, len, chain })
    }
}

// SAFETY: the maker of an insert promises that every thread may read its memory.
unsafe impl Send for Insert {}

/// One send: a buffer from [`crate::Reactor::take_buffer`] and memory to be spliced into it.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The bytes to send; the buffer goes back to the reactor's pool when they are sent.
    pub bytes: Vec<u8>,
    /// Memory outside `bytes`. The inserts come back in an event.
    pub inserts: Vec<Insert>,
}

impl Outgoing {
    /// Bytes on the wire.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.inserts.iter().map(|insert| insert.len).sum::<usize>()
    }

    /// True if there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces to send, in order: bytes and inserts in turns.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut progress = Progress::default();
        std::iter::from_fn(move || {
            // SAFETY: the progress is used with this `Outgoing` only.
            let (ptr, len) = unsafe { progress.piece(self) }?;
            progress.advance(len);
            // SAFETY: a piece of `bytes` or of an insert: both are borrowed, so their memory is valid and unchanged.
            Some(unsafe { std::slice::from_raw_parts(ptr, len) })
        })
    }
}

/// How far a send has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Bytes of the buffer that are sent.
    bytes: usize,
    /// Inserts that are sent.
    inserts: usize,
    /// The unsent part of the next insert: this run and the runs behind it. `None` = all of the insert.
    run: Option<Run>,
    /// Unsent bytes of the next insert. Its last run may have become longer since the insert was made.
    left: usize,
}

impl Progress {
    /// The next bytes that lie in one place, never an empty piece; `None` at the end.
    ///
    /// # Safety
    /// This progress has been used with this `outgoing` only, and nothing of `outgoing` has been taken or changed
    /// since. The piece is valid as long as that is so.
    pub unsafe fn piece(&mut self, outgoing: &Outgoing) -> Option<(*const u8, usize)> {
        loop {
            let insert = outgoing.inserts.get(self.inserts);
            let end = insert.map_or(outgoing.bytes.len(), |insert| insert.at);
            if self.bytes < end {
                let rest = &outgoing.bytes[self.bytes..end];
                return Some((rest.as_ptr(), rest.len()));
            }
            let run = match self.run {
                Some(run) => run,
                None => {
                    let insert = insert?;
                    self.left = insert.len;
                    insert.first
                }
            };
            self.run = Some(run);
            let piece = run.len.min(self.left);
            if piece > 0 {
                return Some((run.ptr, piece));
            }
            self.run = match self.left {
                0 => None,
                // SAFETY: the caller's promise.
                _ => unsafe { run.next() },
            };
            self.inserts += usize::from(self.run.is_none());
        }
    }

    /// Marks the first `len` bytes of the piece that was just asked for as done.
    pub fn advance(&mut self, len: usize) {
        match &mut self.run {
            Some(run) => {
                debug_assert!(len <= run.len, "more is done than the piece has");
                run.ptr = run.ptr.wrapping_add(len);
                run.len -= len;
                self.left -= len;
            }
            None => self.bytes += len,
        }
    }

    /// Marks the next `len` bytes as sent, over as many pieces as they span. Returns how many bytes there were.
    ///
    /// # Safety
    /// As [`Self::piece`].
    pub unsafe fn skip(&mut self, outgoing: &Outgoing, len: usize) -> usize {
        let mut skipped = 0;
        while skipped < len {
            // SAFETY: the caller's promise.
            let Some((_, piece)) = (unsafe { self.piece(outgoing) }) else {
                break;
            };
            let done = piece.min(len - skipped);
            self.advance(done);
            skipped += done;
        }
        skipped
    }
}

// SAFETY: as for inserts: the addresses are read through only by code that keeps the memory valid.
unsafe impl Send for Progress {}

impl From<Vec<u8>> for Outgoing {
    fn from(bytes: Vec<u8>) -> Self {
        let inserts = Vec::new();
        Self { bytes, inserts }
    }
}

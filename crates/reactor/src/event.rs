//! What goes in ([`Outgoing`]) and what comes out ([`Event`]).

use std::os::fd::OwnedFd;

use crate::buffers::RecvBuf;
use crate::datagram::DatagramBuf;
use crate::send::SendId;

/// The caller's name for a connection or listener: an index and a generation, say. Less than 2^56.
///
/// Give each connection a token of its own and do not reuse it before the connection before it is closed and its last
/// event has come: the reactor tells connections apart by their tokens, never by descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

impl Token {
    /// The largest token.
    pub const MAX: Token = Token((1 << 56) - 1);
}

/// Bytes that are sent from where they lie instead of being copied into [`Outgoing::bytes`].
///
/// Having one is the right to read them: it is made by an unsafe function, whose caller promises that they stay, and it cannot
/// be copied, so that whoever lets go of the memory takes it by value. The default is an insert of nothing.
#[derive(Debug, Default)]
pub struct Insert {
    /// The bytes go out just before `bytes[at]`; `at == bytes.len()` puts them last. Ascending within a send.
    at: usize,
    /// How many bytes, those of all runs; more may lie behind.
    len: usize,
    /// Where the first of them lie.
    first: Run,
    /// The caller's own note.
    cookie: u64,
}

impl Insert {
    /// `len` bytes that begin in `first`, just before `bytes[at]`. `cookie` is a note of the caller's own.
    ///
    /// # Safety
    /// As long as this insert exists, the bytes of all runs are valid and unchanged, and so is what leads from one to the
    /// next, for every thread. What lies behind the `len` bytes may change.
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

    /// Where its bytes go among those of the buffer.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The caller's note; 0 in an insert of nothing.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The note, of an insert whose memory is not needed any more.
    pub fn into_cookie(self) -> u64 {
        self.cookie
    }

    /// Takes it out of a buffer for another one, in which its place is `at`. What stays is an insert of nothing.
    #[must_use]
    pub fn take_to(&mut self, at: usize) -> Insert {
        Insert {
            at,
            ..std::mem::take(self)
        }
    }
}

/// Bytes in one place. A value may lie in many, each of which leads to the next: an insert is made in the same time whatever
/// its length, and the runs are looked for as they are sent.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Where they begin.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
    /// What leads to the next run.
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

/// What leads from one run to the next.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// Handed to `follow`.
    pub base: *const u8,
    /// Handed to `follow`.
    pub link: u64,
    /// Finds the run. It reads memory that has to be there as long as that of the insert.
    pub follow: Follow,
}

/// Finds a run by `base` and `link` of a [`Chain`]: where it begins, its length, and the link to the next, 0 at the end.
pub type Follow = unsafe fn(base: *const u8, link: u64) -> (*const u8, usize, u64);

impl Run {
    /// The run after this one.
    ///
    /// # Safety
    /// The memory of the insert is still valid and unchanged.
    unsafe fn next(&self) -> Option<Run> {
        let chain = self.chain?;
        // SAFETY: base and link belong together and to `follow`, and what it reads is as valid as the insert.
        let (ptr, len, link) = unsafe { (chain.follow)(chain.base, chain.link) };
        let chain = (link != 0).then_some(Chain { link, ..chain });
        Some(Run { ptr, len, chain })
    }
}

// SAFETY: who makes one promises that every thread may read the memory.
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

    /// What is sent, in order: bytes and inserts in turns.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut progress = Progress::default();
        std::iter::from_fn(move || {
            // SAFETY: the progress is this one's alone.
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
    /// Bytes of the buffer that are done.
    bytes: usize,
    /// Inserts that are done.
    inserts: usize,
    /// What is not done of the insert after those: this run and those behind it. `None` = all of it.
    run: Option<Run>,
    /// Bytes not done of that insert. The last run may have become longer since the insert was made.
    left: usize,
}

impl Progress {
    /// The next bytes that lie in one place, never an empty piece; `None` at the end.
    ///
    /// # Safety
    /// It has been used with this `outgoing` only, of which nothing has been taken or changed since. The piece is valid as
    /// long as that is so.
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

    /// Marks the next `len` bytes as done, in as many pieces as they are. Returns how many there were.
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

// SAFETY: as for inserts: addresses that only whoever keeps the memory valid reads through.
unsafe impl Send for Progress {}

impl From<Vec<u8>> for Outgoing {
    fn from(bytes: Vec<u8>) -> Self {
        let inserts = Vec::new();
        Self { bytes, inserts }
    }
}

/// What happened since the last turn.
#[derive(Debug)]
pub enum Event {
    /// A new connection. Socket options are those of its listener (set `TCP_NODELAY` there); close-on-exec is set.
    Accepted {
        /// The listener's token.
        token: Token,
        /// The connection.
        fd: OwnedFd,
    },
    /// An accept failed. The reactor goes on by itself: at once after an aborted connection, after
    /// [`crate::ReactorConfig::accept_retry`] when descriptors or memory ran out (`EMFILE`, `ENFILE`, `ENOBUFS`,
    /// `ENOMEM`) or on [`crate::Reactor::accept`]; not at all after another error, which is a fault of the listener.
    AcceptFailed {
        /// The listener's token.
        token: Token,
        /// Why.
        errno: i32,
    },
    /// Bytes arrived: read them with [`crate::Reactor::bytes`], then [`crate::Reactor::recycle`] the buffer.
    Received {
        /// The connection.
        token: Token,
        /// The bytes.
        buf: RecvBuf,
    },
    /// The peer sends nothing more. Receiving has ended.
    Eof {
        /// The connection.
        token: Token,
    },
    /// Receiving has ended with an error.
    RecvFailed {
        /// The connection.
        token: Token,
        /// Why: mostly `ECONNRESET` or `ETIMEDOUT`.
        errno: i32,
    },
    /// Receiving has ended because of [`crate::Reactor::cancel_recv`]; [`crate::Reactor::recv`] starts it again.
    RecvStopped {
        /// The connection.
        token: Token,
    },
    /// There is something to read, be it the end: what [`crate::Reactor::poll`] was asked for.
    Readable {
        /// The connection.
        token: Token,
    },
    /// The send is under way still: mostly because the socket took only a part. The reactor sends the rest as the peer reads.
    /// `SendDone` or `SendFailed` will end it; nothing else may be sent before.
    SendBlocked {
        /// The connection.
        token: Token,
        /// The send.
        send: SendId,
    },
    /// All bytes are with the kernel. Reported only after `SendBlocked`, and for every send that had inserts.
    SendDone {
        /// The connection.
        token: Token,
        /// The send.
        send: SendId,
        /// The inserts of the send: their memory is the caller's again.
        inserts: Vec<Insert>,
    },
    /// The send has ended with an error, or was cut off by [`crate::Reactor::close`] (`ECANCELED`; then reported
    /// only if it had inserts).
    SendFailed {
        /// The connection.
        token: Token,
        /// The send.
        send: SendId,
        /// Why: mostly `EPIPE` or `ECONNRESET`; [`crate::IN_DOUBT`] if its bytes do not add up.
        errno: i32,
        /// The inserts of the send: their memory is the caller's again.
        inserts: Vec<Insert>,
    },
    /// A datagram arrived: read it with [`crate::Reactor::datagram`], then [`crate::Reactor::recycle_datagram`] the buffer.
    Datagram {
        /// The UDP socket.
        token: Token,
        /// The datagram.
        buf: DatagramBuf,
    },
    /// Receiving datagrams has ended with an error that does not pass.
    DatagramsFailed {
        /// The UDP socket.
        token: Token,
        /// Why.
        errno: i32,
    },
    /// A peer rang with [`crate::Reactor::doorbell`]. Several rings may be one event.
    Doorbell,
    /// Someone called [`crate::Waker::wake`]. Several wakes may be one event.
    Wake,
    /// A warm window has passed since the last tick or since waiting began. At most one per turn.
    Tick,
}

//! A large value on its way in: it goes to slab memory piece by piece as it arrives, and is linked when it is whole
//! (`storing.rs`).
//!
//! Its memory is asked for in windows. The more of the value has come, the larger the window is; so a value whose rest
//! never comes holds at most twice the memory of what has come. Bytes that have already been received are copied into
//! the window; the rest is read from the socket straight into it (`direct.rs`).
//!
//! The memory comes from the connection's own shard or from the key's (`holder.rs`), so that half-sent values are
//! bounded by `-m` like everything else. All half-sent values together have only a share of `-m` (`memory/uploads.rs`).

use corecached_engine::StoreRefusal;
use std::io;
use std::os::fd::BorrowedFd;

use crate::ids::ConnId;
use crate::memory::uploads::Claim;
use crate::operation::access::Access;
use crate::operation::outcome::Grant;
use crate::route::router::Router;

use super::cx::Cx;
use super::holder::{Holder, Supply, Wanted};
use super::store_command::StoreCommand;
use super::window::{DirectRead, Window};

/// Size of the first window, in bytes; a window is at least a chunk.
const WINDOW_BYTES_MIN: usize = 32 * 1024;
/// Largest size of a window, in bytes: one call of the engine, some 10 us.
const WINDOW_BYTES_MAX: usize = 256 * 1024;

/// Time for which a value waits for other values to be whole, if those claim all the memory that there is for such
/// values. It is as long as it takes to receive that much, a quarter of a small cache, over a link of 1 Gbit/s.
const CLAIM_WAIT_MS: u64 = 500;

/// A storage command whose value is being read.
#[derive(Debug)]
pub(super) struct Upload {
    /// The holder of the value's memory.
    pub(super) holder: Holder,
    /// The upload's claim to the memory for values on their way in, and since when it waits for that memory.
    claim: Option<Claim>,
    waits_since_ms: Option<u64>,
    /// The part of the value's memory that is filled next.
    window: Window,
    /// Until when the upload waits for memory, since there was none when it was last asked for.
    waits: Option<Until>,
    pub(super) key: Box<[u8]>,
    /// Words of the request that the reply needs.
    pub(super) words: Box<[u8]>,
    /// The command, with key, value and words kept elsewhere.
    pub(super) command: StoreCommand<'static>,
    /// Bytes of the value that have not come yet.
    pub(super) missing: usize,
    /// Bytes of the line end that have come.
    line_end: usize,
    /// Whether the bytes of the line end were the right ones.
    well_formed: bool,
}

/// When memory that was not there is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// In the next turn of the network loop, like all work that goes on.
    NextTurn,
    /// In the next warm window: the shard that this shard waits for may be waiting for this shard, and needs its engine
    /// put down; or other values have to be whole first.
    NextWindow,
}

/// State of an upload after some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More has to come.
    Incomplete,
    /// The value and its line end are there.
    Complete,
    /// The value is not followed by a line end.
    Malformed,
    /// Other items have to make room first.
    Waits,
    /// The shard that owns the key has been asked for memory.
    Awaits,
    /// There is no memory for more of the value, or the value is too large.
    Refused(StoreRefusal),
}

impl Upload {
    /// An upload of which nothing has come yet.
    pub(super) fn new(holder: Holder, command: &StoreCommand<'_>) -> Upload {
        Upload {
            window: Window::default(),
            waits: holder.is_new().then_some(Until::NextTurn),
            holder,
            claim: None,
            waits_since_ms: None,
            key: command.key.into(),
            words: command.style.words().into(),
            command: command.with(&[], &[]),
            missing: command.value_bytes,
            line_end: 0,
            well_formed: true,
        }
    }

    /// Whether memory has to be asked for before more of the value can be taken.
    pub(super) fn needs_room(&self) -> bool {
        self.window.is_empty() && (self.missing > 0 || self.holder.is_new())
    }

    /// Bytes of heap memory that the upload holds; the value is not on the heap.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Upload>() + self.key.len() + self.words.len()
    }

    /// Whether the upload waits for memory.
    pub(super) fn waits(&self) -> bool {
        self.waits.is_some()
    }

    /// Whether the upload waits for memory until the next warm window.
    pub(super) fn waits_for_window(&self) -> bool {
        self.waits == Some(Until::NextWindow)
    }

    /// Whether the upload waits for an answer of the shard that owns the key.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self.holder, Holder::Asked)
    }

    /// Takes in the answer of the shard that owns the key.
    pub(super) fn granted(&mut self, grant: Grant) {
        self.holder.granted(grant, &mut self.window);
    }

    /// Claims memory for the whole value, if that has not been done.
    fn claim(&mut self, cx: &Cx<'_>) -> Supply {
        if self.claim.is_none() {
            let budget = &cx.shared.memory.budget;
            let (limit, free) = (budget.limit_bytes(), budget.free_bytes());
            let bytes = self.command.value_bytes;
            self.claim = cx.shared.memory.uploads.claim(bytes, limit, free);
        }
        if self.claim.is_some() {
            return Supply::Given;
        }
        let now = cx.shared.globals.clock.now_ms();
        let since = *self.waits_since_ms.get_or_insert(now);
        match now.saturating_sub(since) < CLAIM_WAIT_MS {
            true => Supply::Busy,
            false => Supply::Refused(StoreRefusal::OutOfMemory),
        }
    }

    fn make_room(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Supply {
        let supply = match self.claim(cx) {
            Supply::Given => self.ask(conn, cx),
            otherwise => otherwise,
        };
        self.waits = match supply {
            Supply::Later => Some(Until::NextTurn),
            Supply::Busy => Some(Until::NextWindow),
            _ => None,
        };
        supply
    }

    /// Asks for the next window.
    fn ask(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> Supply {
        let come = self.command.value_bytes - self.missing;
        let wanted = come.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        let command = self.command.with(&self.key, &self.words);
        let wanted = Wanted {
            conn,
            value: command.reserve(),
            bytes: wanted,
            lacking: self.missing,
        };
        self.holder.ask(&wanted, &mut self.window, cx)
    }

    /// Reads from `socket` into the window and, once the value is whole, into `behind`.
    pub(super) fn read(
        &mut self,
        socket: BorrowedFd<'_>,
        behind: &mut [u8],
    ) -> io::Result<DirectRead> {
        let room = self.window.len();
        let behind = match room < self.missing {
            true => &mut behind[..0],
            false => behind,
        };
        let room = room + behind.len();
        let filled = self.window.read(socket, behind)?;
        self.missing -= filled.inside;
        Ok(DirectRead { room, filled })
    }

    /// Takes the bytes at the head of `bytes` that it can use; returns their number.
    ///
    /// The bytes of the line end are used up even if they are wrong, as in memcached.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        conn: ConnId,
        cx: &mut Cx<'_>,
    ) -> (usize, Progress) {
        let mut used = 0;
        loop {
            if self.needs_room() {
                match self.make_room(conn, cx) {
                    Supply::Given => {}
                    Supply::Later | Supply::Busy => return (used, Progress::Waits),
                    Supply::Awaited => return (used, Progress::Awaits),
                    Supply::Refused(why) => return (used, Progress::Refused(why)),
                }
            }
            let written = self.window.write(&bytes[used..]);
            used += written;
            self.missing -= written;
            if used == bytes.len() || self.missing == 0 {
                break;
            }
        }
        let expected = self.command.line_end;
        while self.missing == 0 && self.line_end < expected.len() && used < bytes.len() {
            self.well_formed &= bytes[used] == expected[self.line_end];
            self.line_end += 1;
            used += 1;
        }
        let progress = match self.missing == 0 && self.line_end == expected.len() {
            false => Progress::Incomplete,
            true if self.well_formed => Progress::Complete,
            true => Progress::Malformed,
        };
        (used, progress)
    }

    /// Gives the memory back.
    pub(super) fn abort(self, access: &mut Access<'_>, router: &mut Router) {
        self.holder.abort(access, router);
    }
}

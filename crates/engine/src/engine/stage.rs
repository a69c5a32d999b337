//! Values that arrive in pieces, and every value that needs a chain: memory as they come, the index last.
//!
//! A staged item is complete but for its value and is not in the index. Its pages are guarded, so it stays where it is
//! until it is committed or aborted. Its memory is written here ([`Engine::staged_write`]), or handed out to be written
//! by who receives the value ([`Engine::staged_space`]):
//!
//! ```text
//!   chunks of the chain   | first ....... | ............. | ............. |   no memory yet     |
//!                         | handed out or written         | room |                              |
//!                                         missing_bytes:         |------------------------------|
//! ```

use super::Engine;
use super::effort::CALL_WORK;
use super::memory::Allocated;
use super::store::Decision;
use crate::api::{Reserve, Room, Space, StoreExtras, StoreMode, StoreOutcome};
use crate::item::{Fields, Marks, State, TAIL_BYTES};
use crate::slab::ChunkRef;
use crate::types::{KeyHash, Seconds};

/// Calls of [`Engine::staged_space`] in a row that may find no memory while pages are being emptied. More than it takes to
/// empty 16 pages of the smallest chunks, so that it is only used up where no page can be emptied.
const PATIENCE: u32 = 1024;

/// A value on its way in. Must be given back by [`Engine::commit`] or [`Engine::abort`].
#[derive(Debug)]
#[must_use = "a staged value holds memory until it is committed or aborted"]
pub struct Staged {
    pub(super) first: ChunkRef,
    pub(super) hash: KeyHash,
    /// The last chunk, and what it has no value for yet.
    last: ChunkRef,
    room: usize,
    /// Bytes written or handed out.
    written: usize,
    value_bytes: usize,
    patience: u32,
}

/// A [`Staged`] in a form that can be copied into messages. It is still one value, to be committed or aborted once.
#[derive(Clone, Copy, Debug)]
pub struct StagedHandle {
    first: ChunkRef,
    hash: KeyHash,
    last: ChunkRef,
    room: usize,
    written: usize,
    value_bytes: usize,
    patience: u32,
}

impl StagedHandle {
    /// The value. Whoever takes it out of a message is the only one to do so.
    pub fn into_staged(self) -> Staged {
        let Self {
            first,
            hash,
            last,
            room,
            written,
            value_bytes,
            patience,
        } = self;
        Staged {
            first,
            hash,
            last,
            room,
            written,
            value_bytes,
            patience,
        }
    }
}

impl Staged {
    /// A form that can be copied into messages.
    #[must_use = "the value holds memory until it is committed or aborted"]
    pub fn into_handle(self) -> StagedHandle {
        let Self {
            first,
            hash,
            last,
            room,
            written,
            value_bytes,
            patience,
        } = self;
        StagedHandle {
            first,
            hash,
            last,
            room,
            written,
            value_bytes,
            patience,
        }
    }

    /// Length of the whole value.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Bytes that have been neither written nor handed out yet.
    #[must_use]
    pub fn missing_bytes(&self) -> usize {
        self.value_bytes - self.written
    }

    fn note_written(&mut self, len: usize) {
        self.room -= len;
        self.written += len;
    }
}

impl Engine {
    /// Takes the first of the memory for a value that will be written by [`Self::staged_write`], which takes the rest.
    ///
    /// # Errors
    ///
    /// [`StoreOutcome::TooLarge`] or [`StoreOutcome::OutOfMemory`]: the caller tells the shard that owns the key by
    /// [`Self::refuse_store`], which counts it.
    pub fn reserve(&mut self, reserve: &Reserve<'_>, now: Seconds) -> Result<Staged, StoreOutcome> {
        self.clock.advance(now);
        if self.is_too_large(reserve.key.len(), reserve.value_bytes, reserve.client_flags) {
            return Err(StoreOutcome::TooLarge);
        }
        let fields = Fields {
            key: reserve.key,
            client_flags: reserve.client_flags,
            deadline: reserve.deadline,
            cas: reserve.extras.new_cas,
            marks: Marks::NONE.with_binary_key(reserve.extras.binary_key),
            // It may take over the deadline of the item that it replaces.
            deadline_room: reserve.extras.invalidate,
            value_bytes: reserve.value_bytes,
        };
        self.stage(&fields, reserve.hash)
            .ok_or(StoreOutcome::OutOfMemory)
    }

    /// Allocates and writes everything but the value.
    pub(super) fn stage(&mut self, fields: &Fields<'_>, hash: KeyHash) -> Option<Staged> {
        self.begin_work();
        let (first, filled_first) = match self.single_class(fields) {
            Some(class) => {
                let chunk = self.allocate(class)?;
                self.items
                    .write_header(chunk, State::Loose, fields, fields.value_bytes);
                (chunk, fields.value_bytes)
            }
            None => {
                let class = self.items.slabs.sizes.len() as u8 - 1;
                let room = self.items.slabs.sizes.chunk_max() - self.items.chain_value_at(fields);
                let length = room.min(fields.value_bytes);
                let chunk = self.allocate(class)?;
                self.items
                    .write_header(chunk, State::LooseChain, fields, length);
                (chunk, length)
            }
        };
        self.guard(first, true);
        Some(Staged {
            first,
            hash,
            last: first,
            room: filled_first,
            written: 0,
            value_bytes: fields.value_bytes,
            patience: PATIENCE,
        })
    }

    /// The class of an item that needs no chain. Items so large that a later deadline would not fit are chains.
    #[inline]
    pub(super) fn single_class(&self, fields: &Fields<'_>) -> Option<u8> {
        let bytes = self.items.single_bytes(fields);
        let roomy = bytes + 4 <= self.items.slabs.sizes.chunk_max();
        if roomy {
            self.items.slabs.sizes.class_for(bytes)
        } else {
            None
        }
    }

    /// Length and class of the next chunk of a chain.
    fn next_of_chain(&self, staged: &Staged) -> (usize, u8) {
        let sizes = &self.items.slabs.sizes;
        let length = staged.missing_bytes().min(sizes.chunk_max() - TAIL_BYTES);
        let class = sizes
            .class_for(length + TAIL_BYTES)
            .expect("a chunk of at most the largest");
        (length, class)
    }

    /// Adds a chunk to a chain; false if there is no memory.
    fn grow_staged(&mut self, staged: &mut Staged) -> bool {
        if self.work_left() == 0 {
            // Each chunk of a value that is stored at once is a call of its own.
            self.begin_work();
        }
        let (length, class) = self.next_of_chain(staged);
        let chunk = self.allocate(class);
        if let Some(chunk) = chunk {
            self.append_staged(staged, chunk, length);
        }
        chunk.is_some()
    }

    fn append_staged(&mut self, staged: &mut Staged, chunk: ChunkRef, length: usize) {
        self.items.write_tail(chunk, staged.first, length);
        self.items.append_chunk(staged.first, staged.last, chunk);
        staged.last = chunk;
        staged.room = length;
    }

    /// Hands out memory for the next bytes of the value, chunk by chunk until it is `bytes` or more, or the rest of the
    /// value. Who gets it writes it to its end before the value is committed.
    ///
    /// It takes bounded time. [`Room::Later`] asks for another call in a while.
    pub fn staged_space(
        &mut self,
        staged: &mut Staged,
        bytes: usize,
        into: &mut impl Extend<Space>,
    ) -> Room {
        let bytes = bytes.min(staged.missing_bytes());
        let mut given = 0;
        self.begin_work();
        while given < bytes {
            if given > 0 && self.work_left() < CALL_WORK / 2 {
                break;
            }
            if staged.room == 0 {
                let (length, class) = self.next_of_chain(staged);
                match self.allocate_in_steps(class, &mut staged.patience) {
                    Allocated::Chunk(chunk) => self.append_staged(staged, chunk, length),
                    // What has been given is to be filled first.
                    _ if given > 0 => break,
                    Allocated::Later => return Room::Later,
                    Allocated::OutOfMemory => return Room::OutOfMemory,
                }
                staged.patience = PATIENCE;
            }
            let (at, len) = self.items.value_range(staged.last);
            let room = staged.room;
            let space = self.items.slabs.segment.space(at + len - room, room);
            into.extend([space]);
            staged.note_written(room);
            given += room;
        }
        Room::Given
    }

    /// Writes the next bytes of the value. Those beyond its length are an error of the caller.
    ///
    /// False if there is no memory for them: the value cannot be completed and has to be aborted.
    #[must_use = "without memory the value has to be aborted"]
    pub fn staged_write(&mut self, staged: &mut Staged, mut bytes: &[u8]) -> bool {
        assert!(
            bytes.len() <= staged.missing_bytes(),
            "more bytes than were reserved"
        );
        self.begin_work();
        if self.drain.is_some() {
            self.pay_for_drain(bytes.len());
        }
        while !bytes.is_empty() {
            let Some((at, room)) = self.staged_room(staged) else {
                return false;
            };
            let len = room.min(bytes.len());
            self.items
                .slabs
                .segment
                .bytes_mut(at, len)
                .copy_from_slice(&bytes[..len]);
            bytes = &bytes[len..];
            staged.note_written(len);
        }
        true
    }

    /// As [`Self::staged_write`], with the value of another item, which stays where it is meanwhile.
    pub(super) fn staged_copy(&mut self, staged: &mut Staged, source: ChunkRef) -> bool {
        let mut chunk = source;
        while !chunk.is_null() {
            let (mut from, mut left) = self.items.value_range(chunk);
            while left > 0 {
                let Some((at, room)) = self.staged_room(staged) else {
                    return false;
                };
                let len = room.min(left);
                self.items.slabs.segment.copy(from, at, len);
                self.count_bytes(len);
                from += len;
                left -= len;
                staged.note_written(len);
            }
            chunk = self.items.after(chunk);
        }
        true
    }

    /// Where the next bytes go: offset in the segment, and how many fit there; `None` without memory.
    fn staged_room(&mut self, staged: &mut Staged) -> Option<(usize, usize)> {
        if staged.room == 0 && !self.grow_staged(staged) {
            return None;
        }
        let (at, len) = self.items.value_range(staged.last);
        Some((at + len - staged.room, staged.room))
    }

    /// Links a staged item as `mode` and `extras` say, or frees it. It must have been written to its end.
    pub fn commit(
        &mut self,
        staged: Staged,
        mode: StoreMode,
        extras: &StoreExtras,
        now: Seconds,
    ) -> StoreOutcome {
        self.clock.advance(now);
        self.begin_work();
        assert_eq!(
            staged.missing_bytes(),
            0,
            "a value is committed when it is whole"
        );
        let mut key = [0; 255];
        let item = self.items.item(staged.first);
        let key = &mut key[..item.key().len()];
        key.copy_from_slice(item.key());
        self.count_set(staged.first);
        let hash = staged.hash;
        let found = self.look_up(key, hash);
        let creates = extras.create && found.is_none();
        if matches!(mode, StoreMode::Append | StoreMode::Prepend) && !creates {
            return self.concatenate_staged(staged, key, mode, extras);
        }
        match self.decide(mode, extras, found) {
            Decision::Store => {}
            Decision::StoreStale(deadline, marks) => {
                self.items.set_deadline(staged.first, deadline);
                self.items.set_marks(staged.first, marks);
            }
            Decision::Refuse(outcome) => {
                self.abort(staged);
                return outcome;
            }
        }
        let outcome = self.link_staged(staged, key, extras.new_cas);
        if outcome == StoreOutcome::OutOfMemory {
            let drops_old = mode == StoreMode::Set || extras.drops_old;
            self.refuse_store(key, hash, drops_old, false, now);
        }
        outcome
    }

    /// Gives a staged item its cas unique and puts it in the index.
    pub(super) fn link_staged(
        &mut self,
        staged: Staged,
        key: &[u8],
        new_cas: Option<u64>,
    ) -> StoreOutcome {
        let Staged {
            first,
            hash,
            value_bytes,
            ..
        } = staged;
        if self.find(key, hash).is_none() {
            if !self.prepare_index(hash) {
                self.abort(staged);
                return StoreOutcome::OutOfMemory;
            }
            self.prepare_probation(self.items.slabs.class_of(first), hash);
        }
        self.guard(first, false);
        let cas = self.cas_or_next(new_cas);
        self.items.set_cas(first, cas);
        self.link(first, key, hash);
        StoreOutcome::Stored { cas, value_bytes }
    }

    /// Frees a staged item.
    pub fn abort(&mut self, staged: Staged) {
        self.guard(staged.first, false);
        self.free_item(staged.first);
    }

    /// What has been written of a staged value, piece by piece, when that is all of it: to send it to another shard.
    pub fn staged_value(&self, staged: &Staged) -> impl Iterator<Item = &[u8]> {
        self.items.value_chunks(staged.first)
    }

    fn concatenate_staged(
        &mut self,
        staged: Staged,
        key: &[u8],
        mode: StoreMode,
        extras: &StoreExtras,
    ) -> StoreOutcome {
        // The staged item is no longer written to, so its chunks can be read while others are staged.
        let outcome = self.concatenate(
            key,
            staged.hash,
            mode,
            extras,
            Addition::Item(staged.first, staged.value_bytes),
        );
        self.abort(staged);
        if outcome == StoreOutcome::OutOfMemory {
            self.stats.store_no_memory += 1;
        }
        outcome
    }
}

/// What is appended or prepended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addition<'a> {
    /// Bytes from outside.
    Bytes(&'a [u8]),
    /// The value of a staged item, and its length.
    Item(ChunkRef, usize),
}

impl Addition<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Item(_, len) => *len,
        }
    }
}

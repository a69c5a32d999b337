//! Values that arrive in pieces, and every value that needs a chain. They get memory as they arrive, and their place in
//! the index last.
//!
//! A staged item is complete except for its value, and is not in the index. Its pages are guarded, so the item stays
//! where it is until it is committed or aborted. Its memory is handed out to the receiver of the value, who writes it
//! ([`Engine::staged_space`]), or is written here if the whole value is there already:
//!
//! ```text
//!   chunks of the chain   | first ....... | ............. | ............. |   no memory yet     |
//!                         | handed out or written         | room |                              |
//!                                         missing_bytes:         |------------------------------|
//! ```

mod kept;

use crate::api::{Reserve, Room, Space, StoreRefusal};
use crate::effort::{CALL_WORK, Effort};
use crate::engine::Engine;
use crate::item::{Fields, Marks, State, TAIL_BYTES};
use crate::place::Allocated;
use crate::receiving::{PATIENCE, Staged};
use crate::slab::ChunkRef;
use crate::types::{KeyHash, Seconds};

impl Engine {
    /// Begins a value that will arrive in pieces, and takes its first memory. [`Self::staged_space`] then hands out the
    /// memory for its bytes.
    ///
    /// # Errors
    ///
    /// The reason why the value is refused: the caller tells the shard that owns the key by [`Self::refuse_store`],
    /// which counts it.
    pub fn reserve(&mut self, reserve: &Reserve<'_>, now: Seconds) -> Result<Staged, StoreRefusal> {
        self.contents.clock.advance(now);
        if self.is_too_large(reserve.key.len(), reserve.value_bytes, reserve.client_flags) {
            return Err(StoreRefusal::TooLarge);
        }
        let fields = self.fields_of(reserve);
        // The index's memory first: when the value is whole, there may be nothing else that could be evicted.
        let staged = self.spending(|engine, effort| {
            if engine.contents.find(reserve.key, reserve.hash).is_none()
                && !(engine.memory(effort)).prepare_index(reserve.key, reserve.hash)
            {
                return None;
            }
            let class = engine.first_class(&fields);
            let has_room =
                engine.may_evict_for_staged(0) || engine.memory(effort).provide_free(class);
            match has_room {
                true => engine.stage(&fields, reserve.hash, effort),
                false => None,
            }
        });
        staged.ok_or(StoreRefusal::OutOfMemory)
    }

    /// Counts a storage command whose value has come without its line end. Nothing is stored, but as in memcached it is
    /// a storage command all the same, since its value was not too large.
    #[cold]
    pub fn count_malformed(&mut self, sent: &Reserve<'_>) {
        let class = self.first_class(&self.fields_of(sent));
        self.telemetry.set(class);
    }

    /// The fields of the item that a reserved value becomes.
    fn fields_of<'a>(&self, reserve: &Reserve<'a>) -> Fields<'a> {
        Fields {
            key: reserve.key,
            client_flags: reserve.client_flags,
            deadline: reserve.deadline,
            cas: reserve.extras.new_cas,
            marks: Marks::NONE.with_binary_key(reserve.extras.binary_key),
            // The value may take over the deadline of the item that it replaces.
            deadline_room: reserve.extras.invalidate || self.keeps_deadline_room(),
            value_bytes: reserve.value_bytes,
        }
    }

    /// Allocates and writes everything but the value.
    pub(crate) fn stage(
        &mut self,
        fields: &Fields<'_>,
        hash: KeyHash,
        effort: &mut Effort,
    ) -> Option<Staged> {
        effort.begin_anew();
        let (first, filled_first) = match self.contents.single_class(fields) {
            Some(class) => {
                let chunk = self.memory(effort).allocate(class)?;
                self.contents
                    .items
                    .write_header(chunk, State::Loose, fields, fields.value_bytes);
                (chunk, fields.value_bytes)
            }
            None => {
                let class = self.contents.items.slabs.sizes.top();
                let room = self.contents.items.slabs.sizes.chunk_max()
                    - self.contents.items.chain_value_at(fields);
                let length = room.min(fields.value_bytes);
                let chunk = self.memory(effort).allocate(class)?;
                self.contents
                    .items
                    .write_header(chunk, State::LooseChain, fields, length);
                (chunk, length)
            }
        };
        Some(self.begin_staged(first, hash, filled_first, fields.value_bytes))
    }

    /// The class of an item's first chunk.
    fn first_class(&self, fields: &Fields<'_>) -> u8 {
        self.contents
            .single_class(fields)
            .unwrap_or(self.contents.items.slabs.sizes.top())
    }

    /// Length and class of the next chunk of a chain.
    fn next_of_chain(&self, staged: &Staged) -> (usize, u8) {
        let sizes = &self.contents.items.slabs.sizes;
        let length = staged.missing_bytes().min(sizes.chunk_max() - TAIL_BYTES);
        let class = sizes.later_class(length + TAIL_BYTES);
        (length, class)
    }

    /// Adds a chunk to a chain; false if there is no memory.
    fn grow_staged(&mut self, staged: &mut Staged, effort: &mut Effort) -> bool {
        effort.begin_chunk(staged.written);
        let (length, class) = self.next_of_chain(staged);
        let chunk = self.memory(effort).allocate_later(class);
        if let Some(chunk) = chunk {
            self.append_staged(staged, chunk, length);
        }
        chunk.is_some()
    }

    fn append_staged(&mut self, staged: &mut Staged, chunk: ChunkRef, length: usize) {
        self.contents.items.write_tail(chunk, staged.first, length);
        self.contents
            .items
            .append_chunk(staged.first, staged.last, chunk);
        staged.last = chunk;
        staged.room = length;
        self.count_staged(staged, chunk);
        if self.contents.items.slabs.class_of(chunk) != self.contents.items.slabs.sizes.top() {
            debug_assert!(
                staged.tail.is_null(),
                "only the last chunk is a smaller one"
            );
            staged.tail = chunk;
            self.contents.claim(chunk);
        }
    }

    /// Hands out memory for the next bytes of the value, chunk by chunk until there is room for `bytes` or for the rest
    /// of the value. The caller writes all of that memory before the value is committed.
    ///
    /// A call takes bounded time. [`Room::Later`] asks for another call in a while.
    pub fn staged_space(
        &mut self,
        staged: &mut Staged,
        bytes: usize,
        into: &mut impl Extend<Space>,
    ) -> Room {
        self.check_owner(staged);
        let bytes = bytes.min(staged.missing_bytes());
        self.spending(|engine, effort| engine.hand_out(staged, bytes, into, effort))
    }

    fn hand_out(
        &mut self,
        staged: &mut Staged,
        bytes: usize,
        into: &mut impl Extend<Space>,
        effort: &mut Effort,
    ) -> Room {
        let mut given = 0;
        while given < bytes {
            if given > 0 && effort.left() < CALL_WORK / 2 {
                break;
            }
            if staged.room == 0 {
                let (length, class) = self.next_of_chain(staged);
                let may_evict = self.may_evict_for_staged(staged.held_bytes);
                let mut memory = self.memory(effort);
                let allocated = match may_evict || memory.provide_free(class) {
                    true => memory.allocate_in_steps(class, &mut staged.patience),
                    false => Allocated::OutOfMemory,
                };
                match allocated {
                    Allocated::Chunk(chunk) => self.append_staged(staged, chunk, length),
                    // The memory that was handed out is to be filled first.
                    _ if given > 0 => break,
                    Allocated::Later => return Room::Later,
                    Allocated::OutOfMemory => return Room::OutOfMemory,
                }
                staged.patience = PATIENCE;
            }
            let (at, len) = self.contents.items.value_range(staged.last);
            let room = staged.room;
            let space = self
                .contents
                .items
                .slabs
                .segment
                .space(at + len - room, room);
            into.extend([space]);
            staged.note_written(room);
            given += room;
        }
        Room::Given
    }

    /// Writes the next bytes of the value. The caller must not write beyond its length.
    ///
    /// False if there is no memory for them: the value cannot be completed and has to be aborted.
    pub(crate) fn staged_write(
        &mut self,
        staged: &mut Staged,
        mut bytes: &[u8],
        effort: &mut Effort,
    ) -> bool {
        assert!(
            bytes.len() <= staged.missing_bytes(),
            "more bytes than were reserved"
        );
        effort.begin_anew();
        self.memory(effort).pay_for_drain(bytes.len());
        while !bytes.is_empty() {
            let Some((at, room)) = self.staged_room(staged, effort) else {
                return false;
            };
            let len = room.min(bytes.len());
            self.contents.items.slabs.segment.write(at, &bytes[..len]);
            bytes = &bytes[len..];
            staged.note_written(len);
        }
        true
    }

    /// Like [`Self::staged_write`], with bytes of the value of another item. That item stays where it is meanwhile.
    pub(crate) fn staged_copy(
        &mut self,
        staged: &mut Staged,
        source: ChunkRef,
        effort: &mut Effort,
    ) -> bool {
        let mut chunk = source;
        while !chunk.is_null() {
            let (mut from, mut left) = self.contents.items.value_range(chunk);
            while left > 0 {
                let Some((at, room)) = self.staged_room(staged, effort) else {
                    return false;
                };
                let len = room.min(left);
                self.contents.items.slabs.segment.copy(from, at, len);
                effort.spend_copied(len);
                from += len;
                left -= len;
                staged.note_written(len);
            }
            chunk = self.contents.items.after(chunk);
        }
        true
    }

    /// The place of the next bytes: the offset in the segment, and how many bytes fit there. `None` if there is no
    /// memory.
    fn staged_room(&mut self, staged: &mut Staged, effort: &mut Effort) -> Option<(usize, usize)> {
        if staged.room == 0 && !self.grow_staged(staged, effort) {
            return None;
        }
        let (at, len) = self.contents.items.value_range(staged.last);
        Some((at + len - staged.room, staged.room))
    }
}

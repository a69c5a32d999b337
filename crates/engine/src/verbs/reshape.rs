//! Items whose header has to grow: a deadline where there was none, or a cas unique of more than the usual width.
//!
//! ```text
//! has room, as every chain      written in place
//! same class, not pinned        value moved up in its chunk, header written anew
//! else                          copied to a chunk of another class
//! ```

use crate::engine::Engine;
use crate::evict::policy;
use crate::item::{Fields, Head, Marks, State};
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash};

impl Engine {
    /// Gives a linked item another deadline and, unless they are `None`, another cas unique and other marks. Its use and age
    /// stay.
    ///
    /// Returns where the item is now; `None` without memory, and then it is as before.
    pub(crate) fn reshape(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        chunk: ChunkRef,
        deadline: Deadline,
        cas: Option<u64>,
        marks: Option<Marks>,
    ) -> Option<ChunkRef> {
        let item = self.items.item(chunk);
        let head = item.head;
        if self.items.has_room(head, deadline, cas.unwrap_or(0)) {
            let change = self.index.begin_change(hash);
            if head.has_deadline() {
                self.items.set_deadline(chunk, deadline);
            }
            if let Some(cas) = cas {
                self.items.set_cas(chunk, cas);
            }
            if let Some(marks) = marks {
                self.items.set_marks(chunk, marks);
            }
            self.index.end_change(change);
            return Some(chunk);
        }
        let fields = Fields {
            key,
            client_flags: item.client_flags(),
            deadline,
            cas: cas.or(Some(item.cas())),
            marks: marks.unwrap_or(head.marks()),
            deadline_room: head.has_deadline(),
            value_bytes: item.value_bytes(),
        };
        debug_assert!(!head.is_chain(), "a chain has room for all fields");
        let bytes = self.items.single_bytes(&fields);
        let class = self.items.slabs.sizes.class_for(bytes)?;
        let target = self.rewrite(&fields, hash, chunk, class)?;
        self.stats.total_items -= 1;
        self.restore_use(target, head);
        Some(target)
    }

    /// Writes an item anew: in its chunk, or in another of the given class.
    fn rewrite(
        &mut self,
        fields: &Fields<'_>,
        hash: KeyHash,
        chunk: ChunkRef,
        class: u8,
    ) -> Option<ChunkRef> {
        let (from, len) = self.items.value_range(chunk);
        let moves = class != self.items.slabs.class_of(chunk) || self.is_pinned(chunk);
        let target = if moves {
            self.begin_work();
            self.hold(chunk);
            let target = self.allocate(class);
            self.let_go(chunk);
            target?
        } else {
            chunk
        };
        let (place, _) = self
            .find(fields.key, hash)
            .expect("a pinned item is not evicted");
        let frequency = policy::moved(self.items.head(chunk).frequency());
        self.note_unlinked(chunk);
        let change = self.index.begin_change(hash);
        // The value first: in place, the new header ends where the old value begins.
        let to = self.items.slabs.address(target) + self.items.single_value_at(fields);
        self.items.slabs.segment.copy(from, to, len);
        self.items.write_header(target, State::Linked, fields, len);
        if moves {
            self.index.replace(&mut self.items.slabs, place, target);
        }
        self.note_linked(target, frequency);
        self.index.end_change(change);
        if moves {
            self.dispose(chunk);
        }
        Some(target)
    }

    /// Gives an item that was written anew the use and the age that it had before.
    fn restore_use(&mut self, chunk: ChunkRef, before: Head) {
        let head = self
            .items
            .head(chunk)
            .with_frequency(policy::moved(before.frequency()))
            .with_fetched(before.is_fetched())
            .with_last_access(before.last_access());
        self.items.set_head(chunk, head);
        self.renew(chunk);
    }
}

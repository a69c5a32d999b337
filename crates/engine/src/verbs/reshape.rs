//! Items whose header has to grow: a deadline where there was none, or a cas unique of more than the usual width.
//!
//! ```text
//! has room, as every chain      written in place
//! same class, not pinned        value moved up in its chunk, header written anew
//! else                          copied to a chunk of another class
//! ```

use crate::effort::Effort;
use crate::engine::Engine;
use crate::item::policy;
use crate::item::{Fields, Head, Marks, State};
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash};

impl Engine {
    /// Gives a linked item another deadline and, unless they are `None`, another cas unique and other marks. The use
    /// and the age of the item stay.
    ///
    /// Returns where the item is now; `None` if there is no memory, and then the item is as before.
    pub(crate) fn reshape(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        chunk: ChunkRef,
        deadline: Deadline,
        cas: Option<u64>,
        marks: Option<Marks>,
    ) -> Option<ChunkRef> {
        let item = self.contents.items.item(chunk);
        let head = item.head;
        if self
            .contents
            .items
            .has_room(head, deadline, cas.unwrap_or(0))
        {
            self.contents.change(hash, |contents| {
                if head.has_deadline() {
                    contents.items.set_deadline(chunk, deadline);
                }
                if let Some(cas) = cas {
                    contents.items.set_cas(chunk, cas);
                }
                if let Some(marks) = marks {
                    contents.items.set_marks(chunk, marks);
                }
            });
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
        let bytes = self.contents.items.single_bytes(&fields);
        let class = self.contents.items.slabs.sizes.class_for(bytes)?;
        let target =
            self.spending(|engine, effort| engine.rewrite(&fields, hash, chunk, class, effort))?;
        self.restore_use(target, head);
        Some(target)
    }

    /// Writes an item anew: in its chunk, or in another chunk of the given class.
    fn rewrite(
        &mut self,
        fields: &Fields<'_>,
        hash: KeyHash,
        chunk: ChunkRef,
        class: u8,
        effort: &mut Effort,
    ) -> Option<ChunkRef> {
        let (from, len) = self.contents.items.value_range(chunk);
        let moves = class != self.class_of(chunk) || self.contents.is_pinned(chunk);
        let target = if moves {
            let held = self.contents.hold(chunk);
            let target = self.memory(effort).allocate(class);
            self.contents.let_go(held, effort);
            target?
        } else {
            chunk
        };
        let (place, _) = (self.contents)
            .find(fields.key, hash)
            .expect("a pinned item is not evicted");
        let frequency = policy::moved(self.contents.items.head(chunk).frequency());
        self.contents.note_unlinked(chunk);
        self.contents.change(hash, |contents| {
            // The value first: in place, the new header ends where the old value begins.
            let items = &mut contents.items;
            let to = items.slabs.address(target) + items.single_value_at(fields);
            items.slabs.segment.copy(from, to, len);
            items.write_header(target, State::Linked, fields, len);
            if moves {
                contents.index.replace(&mut items.slabs, place, target);
            }
            contents.note_linked(target, frequency);
        });
        if moves {
            self.contents.dispose(chunk, effort);
        }
        Some(target)
    }

    /// Gives an item that was written anew the use and the age that it had before.
    fn restore_use(&mut self, chunk: ChunkRef, before: Head) {
        let head = (self.contents.items)
            .head(chunk)
            .with_frequency(policy::moved(before.frequency()))
            .with_fetched(before.is_fetched())
            .with_last_access(before.last_access());
        self.contents.items.set_head(chunk, head);
        self.contents.renew(chunk);
    }
}

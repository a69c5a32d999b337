//! delete, and the options of the meta command: items that stay without their value, or as stale ones.

use super::Seen;
use crate::api::{Delete, DeleteOutcome};
use crate::engine::Engine;
use crate::item::{Fields, Marks};
use crate::slab::ChunkRef;
use crate::types::{Deadline, KeyHash, Seconds};

impl Engine {
    /// Deletes an item, or keeps it as `delete` says.
    pub fn delete(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        delete: &Delete,
        now: Seconds,
    ) -> DeleteOutcome {
        self.contents.clock.advance(now);
        let seen = self.look_up(key, hash);
        let Some((place, chunk)) = seen.live() else {
            self.telemetry.delete_miss();
            return DeleteOutcome::NotFound;
        };
        let is_other = |cas| cas != self.contents.items.item(chunk).cas();
        if delete.compare.is_some_and(is_other) {
            if delete.counts_other_cas {
                self.telemetry.delete_miss();
            }
            return DeleteOutcome::Exists;
        }
        let kept = if let Some(client_flags) = delete.empty {
            self.empty(key, hash, seen, client_flags, delete)
        } else if delete.stale {
            self.mark_stale(key, hash, chunk, delete)
        } else {
            self.telemetry.delete_hit(self.class_of(chunk));
            self.spending(|engine, effort| engine.contents.unlink(place, chunk, effort));
            return DeleteOutcome::Deleted;
        };
        match kept {
            Some(()) => DeleteOutcome::Deleted,
            None => DeleteOutcome::OutOfMemory,
        }
    }

    /// Marks an item as stale. `None` if there is no memory for a field that the item did not have.
    fn mark_stale(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        chunk: ChunkRef,
        delete: &Delete,
    ) -> Option<()> {
        let item = self.contents.items.item(chunk);
        let marks = item.head.marks().with_stale(true).with_won(false);
        let deadline = delete.deadline.unwrap_or(item.deadline());
        let cas = self.cas.or_next(delete.new_cas);
        self.reshape(key, hash, chunk, deadline, Some(cas), Some(marks))?;
        Some(())
    }

    /// Replaces an item by one without a value. `None` if there is no memory.
    fn empty(
        &mut self,
        key: &[u8],
        hash: KeyHash,
        seen: Seen,
        client_flags: u32,
        delete: &Delete,
    ) -> Option<()> {
        let (_, chunk) = seen.live()?;
        let item = self.contents.items.item(chunk);
        let marks = Marks::NONE
            .with_binary_key(item.head.marks().has_binary_key())
            .with_stale(delete.stale);
        let keeps_cas = delete.new_cas.is_none() && !delete.stale;
        let cas = if keeps_cas {
            Some(item.cas())
        } else {
            delete.new_cas
        };
        let fields = Fields {
            key,
            client_flags,
            deadline: delete.deadline.unwrap_or(Deadline::NEVER),
            cas,
            marks,
            deadline_room: self.keeps_deadline_room(),
            value_bytes: 0,
        };
        let class = self.contents.single_class(&fields);
        self.put(fields, hash, &[], class, seen).cas()?;
        Some(())
    }
}

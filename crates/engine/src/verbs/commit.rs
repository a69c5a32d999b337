//! The end of a staged value: it is linked, joined to the present value, or freed.
//!
//! ```text
//! commit -- append, prepend to a present item --> join.rs
//!    '---- else --> decide (store.rs) --> link_staged | give_up
//! ```

use super::store::Decision;
use crate::api::{StoreExtras, StoreMode, StoreOutcome, StoreRefusal};
use crate::effort::Effort;
use crate::engine::Engine;
use crate::receiving::Staged;
use crate::types::Seconds;

impl Engine {
    /// Links a staged item as `mode` and `extras` say, or frees it. The value must have been written to its end.
    pub fn commit(
        &mut self,
        staged: Staged,
        mode: StoreMode,
        extras: &StoreExtras,
        now: Seconds,
    ) -> StoreOutcome {
        self.check_owner(&staged);
        self.contents.clock.advance(now);
        assert_eq!(
            staged.missing_bytes(),
            0,
            "a value is committed when it is whole"
        );
        let mut key = [0; 255];
        let item = self.contents.items.item(staged.first);
        let key = &mut key[..item.key().len()];
        key.copy_from_slice(item.key());
        self.telemetry.set(self.class_of(staged.first));
        let hash = staged.hash;
        let seen = self.look_up(key, hash);
        let creates = extras.create && seen.live().is_none();
        if matches!(mode, StoreMode::Append | StoreMode::Prepend) && !creates {
            return self.join_staged(staged, key, mode, extras);
        }
        match self.decide(mode, extras, seen) {
            Decision::Store => {}
            Decision::StoreStale(deadline, marks) => {
                self.contents.items.set_deadline(staged.first, deadline);
                self.contents.items.set_marks(staged.first, marks);
            }
            Decision::Refuse(outcome) => {
                self.abort(staged);
                return outcome;
            }
        }
        let outcome = self.spending(|engine, effort| {
            engine.link_staged(staged, key, extras.new_cas, seen.dead(), effort)
        });
        if outcome == StoreOutcome::OutOfMemory {
            self.refuse_store(StoreRefusal::OutOfMemory);
            if mode == StoreMode::Set || extras.drops_old {
                self.drop_old(key, hash, now);
            }
        }
        outcome
    }

    /// Gives a staged item its cas unique and puts it in the index. `dead` is the class of the item that the lookup has
    /// removed.
    pub(crate) fn link_staged(
        &mut self,
        staged: Staged,
        key: &[u8],
        new_cas: Option<u64>,
        dead: Option<u8>,
        effort: &mut Effort,
    ) -> StoreOutcome {
        let (first, hash, value_bytes) = (staged.first, staged.hash, staged.value_bytes);
        if self.contents.find(key, hash).is_none() {
            let class = self.class_of(first);
            let mut memory = self.memory(effort);
            if !memory.prepare_index(key, hash) {
                self.give_up(staged, effort);
                return StoreOutcome::OutOfMemory;
            }
            memory.prepare_probation(class, hash);
        }
        self.end_staged(&staged);
        self.memory(effort).stop_drain_of(first);
        let cas = self.cas.or_next(new_cas);
        self.contents.items.set_cas(first, cas);
        self.link(first, key, hash, dead, effort);
        StoreOutcome::Stored { cas, value_bytes }
    }

    /// Frees a staged item.
    pub fn abort(&mut self, staged: Staged) {
        self.spending(|engine, effort| engine.give_up(staged, effort));
    }

    /// Like [`Self::abort`], in a call that has begun already.
    pub(crate) fn give_up(&mut self, staged: Staged, effort: &mut Effort) {
        self.end_staged(&staged);
        self.contents.free_item(staged.first, effort);
    }

    /// The pieces of a staged value that has been written completely, to send it to another shard.
    pub fn staged_value(&self, staged: &Staged) -> impl Iterator<Item = &[u8]> {
        self.check_owner(staged);
        self.contents.items.value_chunks(staged.first)
    }
}

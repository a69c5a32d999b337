//! The end of a staged value: it is linked, joined to what is there, or freed.

use crate::api::{StoreExtras, StoreMode, StoreOutcome};
use crate::engine::Engine;
use crate::stage::staged::Staged;
use crate::types::Seconds;
use crate::verbs::store::Decision;

impl Engine {
    /// Links a staged item as `mode` and `extras` say, or frees it. It must have been written to its end.
    pub fn commit(
        &mut self,
        staged: Staged,
        mode: StoreMode,
        extras: &StoreExtras,
        now: Seconds,
    ) -> StoreOutcome {
        self.check_owner(&staged);
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
            return self.join_staged(staged, key, mode, extras);
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
    pub(crate) fn link_staged(
        &mut self,
        staged: Staged,
        key: &[u8],
        new_cas: Option<u64>,
    ) -> StoreOutcome {
        let (first, hash, value_bytes) = (staged.first, staged.hash, staged.value_bytes);
        if self.find(key, hash).is_none() {
            if !self.prepare_index(key, hash) {
                self.abort(staged);
                return StoreOutcome::OutOfMemory;
            }
            self.prepare_probation(self.items.slabs.class_of(first), hash);
        }
        self.end_staged(&staged);
        self.spare(first);
        let cas = self.cas_or_next(new_cas);
        self.items.set_cas(first, cas);
        self.link(first, key, hash);
        StoreOutcome::Stored { cas, value_bytes }
    }

    /// Frees a staged item.
    pub fn abort(&mut self, staged: Staged) {
        self.end_staged(&staged);
        self.free_item(staged.first);
    }

    /// What has been written of a staged value, piece by piece, when that is all of it: to send it to another shard.
    pub fn staged_value(&self, staged: &Staged) -> impl Iterator<Item = &[u8]> {
        self.check_owner(staged);
        self.items.value_chunks(staged.first)
    }
}

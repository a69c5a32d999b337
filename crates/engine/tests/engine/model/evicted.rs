//! The evictions that the engine reports: the only excuse for an item that is gone.

use corecached_engine::EngineEvent;

use super::Model;

impl Model {
    /// The map forgets the items that were evicted since the last call.
    pub(super) fn hear_of_evictions(&mut self) {
        self.hear_of_evictions_but(&[]);
    }

    /// Like [`Self::hear_of_evictions`], except for the item of `stored`: the last call has stored it anew, and may
    /// have evicted its predecessor.
    pub(super) fn hear_of_evictions_but(&mut self, stored: &[u8]) {
        let (map, told) = (&mut self.map, &mut self.told_evictions);
        let untold = self.engine.take_events(|event| {
            if let EngineEvent::Evicted { key, .. } = event {
                *told += 1;
                if *key != stored {
                    map.remove(*key);
                }
            }
        });
        assert_eq!(untold, 0, "more evictions in one call than are kept");
        let counted = self.engine.stats().evictions;
        assert_eq!(self.told_evictions, counted, "evictions told and counted");
        assert!(
            self.config.evictions_enabled || counted == 0,
            "something was evicted although nothing may be"
        );
    }
}

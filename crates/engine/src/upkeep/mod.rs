//! Housekeeping in bounded steps: dead chains, pages on their way out, memory given back.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `expire.rs` | background expiry: by going through everything, and straight to where many are dead |
//! | `trim.rs`, `lend.rs` | pages that go back to the budget, for all shards or for another one |
//! | `reassign.rs`, `prefault.rs` | pages moved on request, and populated ahead |
//! | `walk.rs` | visiting all items, for dumps |
//! | `saved.rs`, `sound.rs` | a restart: what is saved, and whether what is found is as it was |
//! | `integrity.rs` | the self-check of the tests |

mod expire;
mod integrity;
mod lend;
mod prefault;
mod reassign;
pub(crate) mod saved;
mod sound;
mod trim;
pub(crate) mod walk;

use crate::contents::DYING_STEP;
use crate::engine::Engine;
use crate::place::DRAIN_WORK;
use crate::types::Seconds;

/// Chunks of a page on its way out that one [`Engine::maintain`] looks at.
const DRAIN_STEP: usize = 128;

impl Engine {
    /// Does a bounded step of housekeeping. To be called every few milliseconds while there is traffic, and now and
    /// then while there is none. True while a page is being emptied: more calls finish that.
    pub fn maintain(&mut self, now: Seconds) -> bool {
        self.contents.clock.advance(now);
        let condenses = self.spending(|engine, effort| {
            let now = engine.contents.clock.now().0;
            engine.contents.items.slabs.advance(now);
            let mut memory = engine.memory(effort);
            if memory.contents.items.slabs.has_spare_page() {
                memory.release_pool_page();
            }
            memory
                .victims
                .trim_probation(memory.contents, memory.effort);
            if memory.placement.is_draining() {
                memory.work_on_drain(DRAIN_STEP, memory.effort.left().min(DRAIN_WORK));
            }
            memory.contents.free_dying_step(DYING_STEP, memory.effort);
            memory.condense()
        });
        let renews = self.renew_stamps();
        renews
            || condenses
            || self.placement.is_draining()
            || self.contents.has_dying()
            || self.contents.items.slabs.has_spare_page()
    }
}

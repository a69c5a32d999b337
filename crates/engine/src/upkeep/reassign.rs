//! Pages that move between slab classes: on request, or by themselves.

use crate::engine::Engine;
use crate::place::ReassignOutcome;
use crate::types::Seconds;

impl Engine {
    /// Begins to move a page between slab classes as shown to users; class 0 is the pool of free pages. Without a
    /// `source`, the class with most pages gives the page.
    pub fn reassign(
        &mut self,
        source: Option<u8>,
        destination: u8,
        now: Seconds,
    ) -> ReassignOutcome {
        self.contents.clock.advance(now);
        self.spending(|engine, effort| engine.memory(effort).reassign(source, destination))
    }

    /// Whether a page is on its way from one class to another.
    #[must_use]
    pub fn is_reassigning(&self) -> bool {
        self.placement.is_draining()
    }

    /// Sets whether pages move to classes that evict, from classes whose items stay longer. By default they do. A class
    /// that has no page at all gets one in any case.
    pub fn set_automove(&mut self, on: bool) {
        self.placement.balance.enable(on);
    }
}

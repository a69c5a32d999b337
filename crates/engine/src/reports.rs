//! Reports for users: the counters, and the present amounts of items and memory.
//!
//! ```text
//! Telemetry (counted)  --+
//! Contents, Placement  --+--> EngineStats, ClassStats, MemoryReport, Vitals
//! ```

use crate::engine::Engine;
use crate::slab::INDEX_CLASS;
use crate::telemetry::events::EngineEvent;
use crate::telemetry::{ClassStats, EngineStats, MemoryReport, Vitals};

impl Engine {
    /// The general counters.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let (census, slabs) = (&self.contents.census, &self.contents.items.slabs);
        let general = &self.telemetry.general;
        let ever: u64 = self.placement.balance.hits().iter().sum();
        let before: u64 = self.telemetry.hits_before.iter().sum();
        let of_classes = self.telemetry.classes.iter().map(|class| class.get_hits);
        let get_hits = ever - before + of_classes.sum::<u64>();
        EngineStats {
            get_hits,
            cmd_get: get_hits + general.get_misses,
            bytes: census.bytes(),
            payload_bytes: census.payload_bytes(),
            curr_items: census.items(),
            hash_bytes: self.contents.index.bytes(),
            slab_reassign_running: u64::from(self.is_reassigning()),
            hash_power_level: u64::from((self.contents.index.slots().max(1)).ilog2()),
            pages: slabs.pages_held(),
            slab_global_page_pool: u64::from(slabs.pool_len()),
            charged_bytes: slabs.held_bytes(),
            ..*general
        }
    }

    /// Figures by which shards are compared. Unlike statistics, the counts are those since the start of the shard.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let pressure = &self.placement.pressure;
        Vitals {
            items: self.contents.census.items(),
            charged_bytes: self.contents.items.slabs.held_bytes(),
            hits: self.placement.balance.hits().iter().sum(),
            evictions: pressure.evictions(),
            evicted_bytes: pressure.evicted_bytes(),
            chunks_refused: pressure.chunks_refused(),
        }
    }

    /// Bytes of the items evicted since the start, at next to no cost.
    #[inline]
    pub fn evicted_bytes(&self) -> u64 {
        self.placement.pressure.evicted_bytes()
    }

    /// Whether the index has had to find items by a second hash, since their leaf was full or crowded. So far this has
    /// never happened by chance, with keys that were not made for it.
    #[must_use]
    pub fn displaces_items(&self) -> bool {
        self.contents.index.has_second()
    }

    /// The uses of the bytes that the shard has charged.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let (census, slabs) = (&self.contents.census, &self.contents.items.slabs);
        let page_bytes = slabs.page_bytes() as u64;
        let (mut used, mut paged) = (0, 0);
        for class in 1..slabs.sizes.len() as u8 {
            used += slabs.used_chunks(class) * slabs.sizes.chunk_bytes(class) as u64;
            paged += u64::from(slabs.page_count(class)) * page_bytes;
        }
        let index_pages = u64::from(slabs.page_count(INDEX_CLASS)) * page_bytes;
        let index_chunks =
            slabs.used_chunks(INDEX_CLASS) * slabs.sizes.chunk_bytes(INDEX_CLASS) as u64;
        let outside_pages = slabs.held_bytes() - slabs.pages_held() * page_bytes;
        MemoryReport {
            payload_bytes: census.payload_bytes(),
            header_bytes: census.bytes() - census.payload_bytes(),
            index_bytes: outside_pages + index_chunks,
            rounding_bytes: used - census.bytes(),
            free_chunk_bytes: paged - used + index_pages - index_chunks,
            free_page_bytes: (u64::from(slabs.pool_len()) + u64::from(slabs.is_releasing()))
                * page_bytes,
            prefaulted_bytes: slabs.prefaulted_bytes(),
        }
    }

    /// Resets counts and keeps present amounts. The behaviour of the engine does not change.
    pub fn reset_stats(&mut self) {
        self.telemetry.reset(self.placement.balance.hits());
    }

    /// The counters of each slab class as users know them, 1 to 63, those without pages included.
    #[must_use]
    pub fn class_stats(&self) -> Vec<ClassStats> {
        let mut shown: Vec<ClassStats> = Vec::new();
        for class in INDEX_CLASS + 1..self.contents.items.slabs.sizes.len() as u8 {
            let class = self.shown_stats(class);
            match shown.last_mut() {
                Some(last) if last.class_id == class.class_id => *last += &class,
                _ => shown.push(class),
            }
        }
        shown
    }

    /// The counters of a class, and its present amounts.
    fn shown_stats(&self, class: u8) -> ClassStats {
        let (contents, slabs) = (&self.contents, &self.contents.items.slabs);
        let total_pages = u64::from(slabs.page_count(class));
        let chunks_per_page = slabs.chunks_per_page(class) as u64;
        let total_chunks = total_pages * chunks_per_page;
        let used_chunks = slabs.used_chunks(class);
        let next = (self.victims.under_hand(slabs, class))
            .filter(|&chunk| contents.items.head(chunk).is_linked() && !contents.is_dead(chunk))
            .map(|chunk| contents.clock.age(contents.items.head(chunk).last_access()));
        let there = contents.census.of_class(class);
        let index = usize::from(class);
        let here = self.placement.balance.hits()[index] - self.telemetry.hits_before[index];
        let hits = here + self.telemetry.classes[index].get_hits;
        ClassStats {
            get_hits: hits,
            class_id: contents.shown_class(class),
            chunk_size: slabs.sizes.chunk_bytes(class) as u64,
            chunks_per_page,
            total_pages,
            page_bytes: total_pages * slabs.page_bytes() as u64,
            total_chunks,
            used_chunks,
            free_chunks: total_chunks - used_chunks,
            number: there.items,
            mem_requested: there.bytes,
            age: next.map_or(0, u64::from),
            ..self.telemetry.classes[index]
        }
    }

    /// Begins or ends the recording of events. Events that were recorded but not taken are dropped.
    pub fn record_events(&mut self, on: bool) {
        self.telemetry.events.record(on);
    }

    /// Whether there are events to take.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.telemetry.events.are_there()
    }

    /// Gives every event, in the order in which they happened, to `visit`; returns the number of events that there was
    /// no room for.
    pub fn take_events(&mut self, visit: impl FnMut(&EngineEvent<'_>)) -> u64 {
        self.telemetry.events.take(visit)
    }
}

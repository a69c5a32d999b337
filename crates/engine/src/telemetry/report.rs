//! Statistics.

use crate::engine::Engine;
use crate::slab::INDEX_CLASS;
use crate::telemetry::{ClassStats, EngineStats, MemoryReport};

impl Engine {
    /// The general counters.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let hash_bytes = self.index.bytes();
        let (meters, from) = (&self.meters, &self.shown_from);
        EngineStats {
            evictions: meters.evictions - from.evictions,
            evicted_bytes: meters.evicted_bytes - from.evicted_bytes,
            chunks_refused: meters.chunks_refused - from.chunks_refused,
            slab_reassign_busy_items: meters.busy_pages - from.busy_pages,
            hash_bytes,
            slab_reassign_running: u64::from(self.is_reassigning()),
            work: self.work(),
            hash_power_level: u64::from((self.index.slots().max(1)).ilog2()),
            pages: self.items.slabs.pages_held(),
            slab_global_page_pool: u64::from(self.items.slabs.pool_len()),
            charged_bytes: self.items.slabs.held_bytes(),
            ..self.stats
        }
    }

    /// Whether the index has had to find items by a second hash, since their leaf was full or crowded: so far nobody's keys
    /// have done that by chance.
    #[must_use]
    pub fn displaces_items(&self) -> bool {
        self.index.has_second()
    }

    /// Where the bytes are that the shard has charged.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let slabs = &self.items.slabs;
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
            payload_bytes: self.stats.payload_bytes,
            header_bytes: self.stats.bytes - self.stats.payload_bytes,
            index_bytes: outside_pages + index_chunks,
            rounding_bytes: used - self.stats.bytes,
            free_chunk_bytes: paged - used + index_pages - index_chunks,
            free_page_bytes: (u64::from(slabs.pool_len()) + u64::from(slabs.is_releasing()))
                * page_bytes,
            prefaulted_bytes: slabs.prefaulted_bytes(),
        }
    }

    /// Sets back what is shown, but for what is there: `curr_items`, `bytes` and `payload_bytes`. The engine goes on as if it
    /// had not been called.
    pub fn reset_stats(&mut self) {
        let EngineStats {
            curr_items,
            bytes,
            payload_bytes,
            ..
        } = self.stats;
        self.stats = EngineStats {
            curr_items,
            bytes,
            payload_bytes,
            ..EngineStats::default()
        };
        self.shown_from.clone_from(&self.meters);
        for class in &mut self.classes {
            *class = ClassStats {
                class_id: class.class_id,
                chunk_size: class.chunk_size,
                chunks_per_page: class.chunks_per_page,
                number: class.number,
                mem_requested: class.mem_requested,
                ..ClassStats::default()
            };
        }
    }

    /// The counters of each slab class as users know them, 1 to 63, those without pages included.
    #[must_use]
    pub fn class_stats(&self) -> Vec<ClassStats> {
        let mut shown: Vec<ClassStats> = Vec::new();
        for class in self.classes.iter().skip(usize::from(INDEX_CLASS) + 1) {
            let class = ClassStats {
                class_id: self.items.slabs.sizes.shown_id(class.class_id),
                ..self.fill_class(*class)
            };
            match shown.last_mut() {
                Some(last) if last.class_id == class.class_id => last.join(&class),
                _ => shown.push(class),
            }
        }
        shown
    }

    fn fill_class(&self, class: ClassStats) -> ClassStats {
        let slabs = &self.items.slabs;
        let total_pages = u64::from(slabs.page_count(class.class_id));
        let total_chunks = total_pages * class.chunks_per_page;
        let used_chunks = slabs.used_chunks(class.class_id);
        let next = self
            .under_hand(class.class_id)
            .filter(|&chunk| self.items.head(chunk).is_linked())
            .filter(|&chunk| self.death(&self.items.item(chunk)).is_none())
            .map(|chunk| self.items.head(chunk));
        let (meters, from) = (&self.meters, &self.shown_from);
        let index = usize::from(class.class_id);
        ClassStats {
            get_hits: meters.hits[index] - from.hits[index],
            evicted: meters.evicted[index] - from.evicted[index],
            total_pages,
            page_bytes: total_pages * slabs.page_bytes() as u64,
            total_chunks,
            used_chunks,
            free_chunks: total_chunks - used_chunks,
            age: next.map_or(0, |head| u64::from(self.clock.age(head.last_access()))),
            ..class
        }
    }
}

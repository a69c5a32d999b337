//! `stats items`: the items of each slab class. memcached distinguishes its HOT, WARM and COLD lists; here all items
//! count as COLD, because that is the list from which memcached evicts.

use crate::operation::{Pairs, ShardReport};
use crate::shared::Shared;

use super::{ClassTotal, class_totals};

/// The whole reply.
pub(crate) fn render(shared: &Shared, reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    let has_temp = shared.globals.tuning.temp_lru.is_on();
    for class in class_totals(reports, |class| class.number > 0) {
        let mut class_pairs = Class {
            pairs: &mut pairs,
            id: class.class_id,
        };
        class_pairs.counts(&class, shared.globals.config.lru_maintainer, has_temp);
        class_pairs.outcomes(&class, shared.globals.config.lru_maintainer);
    }
    pairs
}

struct Class<'a> {
    pairs: &'a mut Pairs,
    id: u8,
}

impl Class<'_> {
    fn number(&mut self, name: &str, value: u64) {
        self.pairs
            .number(&format!("items:{}:{name}", self.id), value);
    }

    fn counts(&mut self, class: &ClassTotal<'_>, segmented: bool, has_temp: bool) {
        let number = class.sum(|class| class.number);
        self.number("number", number);
        if segmented {
            self.number("number_hot", 0);
            self.number("number_warm", 0);
            self.number("number_cold", number);
            if has_temp {
                self.number("number_temp", 0);
            }
            self.number("age_hot", 0);
            self.number("age_warm", 0);
        }
        self.number("age", class.max(|class| class.age));
        self.number("mem_requested", class.sum(|class| class.mem_requested));
        self.number("evicted", class.sum(|class| class.evicted));
        self.number("evicted_nonzero", class.sum(|class| class.evicted_nonzero));
        self.number("evicted_time", class.max(|class| class.evicted_time));
        self.number("outofmemory", class.sum(|class| class.outofmemory));
        self.number("tailrepairs", class.sum(|class| class.tailrepairs));
    }

    fn outcomes(&mut self, class: &ClassTotal<'_>, segmented: bool) {
        self.number("reclaimed", class.sum(|class| class.reclaimed));
        self.number(
            "expired_unfetched",
            class.sum(|class| class.expired_unfetched),
        );
        self.number(
            "evicted_unfetched",
            class.sum(|class| class.evicted_unfetched),
        );
        if segmented {
            self.number("evicted_active", 0);
        }
        self.number(
            "crawler_reclaimed",
            class.sum(|class| class.crawler_reclaimed),
        );
        self.number(
            "crawler_items_checked",
            class.sum(|class| class.crawler_items_checked),
        );
        self.number(
            "lrutail_reflocked",
            class.sum(|class| class.lrutail_reflocked),
        );
        if segmented {
            for name in [
                "moves_to_cold",
                "moves_to_warm",
                "moves_within_lru",
                "direct_reclaims",
                "hits_to_hot",
                "hits_to_warm",
            ] {
                self.number(name, 0);
            }
            self.number("hits_to_cold", class.sum(|class| class.get_hits));
            self.number("hits_to_temp", 0);
        }
    }
}

//! `stats slabs`: the pages and chunks of each slab class.

use super::{ClassTotal, class_totals};
use crate::operation::{Pairs, ShardReport};

/// The whole reply.
pub(crate) fn render(reports: &[&ShardReport]) -> Pairs {
    let mut pairs = Pairs::default();
    let classes = class_totals(reports, |class| class.total_pages > 0);
    for class in &classes {
        class_pairs(&mut pairs, class);
    }
    let malloced = classes
        .iter()
        .map(|class| class.sum(|class| class.page_bytes))
        .sum();
    pairs.number("active_slabs", classes.len() as u64);
    pairs.number("total_malloced", malloced);
    pairs
}

fn class_pairs(pairs: &mut Pairs, class: &ClassTotal<'_>) {
    for (name, value) in [
        ("chunk_size", class.max(|class| class.chunk_size)),
        ("chunks_per_page", class.max(|class| class.chunks_per_page)),
        ("total_pages", class.sum(|class| class.total_pages)),
        ("total_chunks", class.sum(|class| class.total_chunks)),
        ("used_chunks", class.sum(|class| class.used_chunks)),
        ("free_chunks", class.sum(|class| class.free_chunks)),
        ("free_chunks_end", 0),
        ("get_hits", class.sum(|class| class.get_hits)),
        ("cmd_set", class.sum(|class| class.cmd_set)),
        ("delete_hits", class.sum(|class| class.delete_hits)),
        ("incr_hits", class.sum(|class| class.incr_hits)),
        ("decr_hits", class.sum(|class| class.decr_hits)),
        ("cas_hits", class.sum(|class| class.cas_hits)),
        ("cas_badval", class.sum(|class| class.cas_badval)),
        ("touch_hits", class.sum(|class| class.touch_hits)),
    ] {
        pairs.number(&format!("{}:{name}", class.class_id), value);
    }
}

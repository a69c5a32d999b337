//! `stats slabs`: the pages and chunks of each slab class.

use super::{ClassTotal, Lines, ShardReport, class_totals};

/// The whole reply.
pub(crate) fn render(reports: &[&ShardReport]) -> Vec<u8> {
    let mut lines = Lines::default();
    let classes = class_totals(reports, |class| class.total_pages > 0);
    for class in &classes {
        class_lines(&mut lines, class);
    }
    let malloced = classes
        .iter()
        .map(|class| class.sum(|class| class.page_bytes))
        .sum();
    lines.number("active_slabs", classes.len() as u64);
    lines.number("total_malloced", malloced);
    lines.end()
}

fn class_lines(lines: &mut Lines, class: &ClassTotal<'_>) {
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
        lines.number(&format!("{}:{name}", class.class_id), value);
    }
}

//! Results as text.

use std::fmt::Write;

use crate::run::{Comparison, ENGINE};

/// One line for a stream that is through.
pub fn progress(comparison: &Comparison) -> String {
    let mut line = format!("{:<28}", comparison.spec.name);
    for outcome in &comparison.outcomes {
        let _ = write!(
            line,
            "  {} {:.2}%, of bytes {:.2}% ({}k, {:.1}s)",
            outcome.cache,
            outcome.miss_percent,
            outcome.byte_miss_percent,
            outcome.items / 1000,
            outcome.taken.as_secs_f64()
        );
    }
    line
}

/// A table of miss ratios in Markdown.
pub fn table(comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    let Some(first) = comparisons.first() else {
        return text;
    };
    text.push_str("| stream |");
    for outcome in &first.outcomes {
        let _ = write!(text, " {} |", outcome.cache);
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(first.outcomes.len()));
    text.push('\n');
    for comparison in comparisons {
        let _ = write!(text, "| {} |", comparison.spec.name);
        for outcome in &comparison.outcomes {
            let _ = write!(text, " {:.2} |", outcome.miss_percent);
        }
        text.push('\n');
    }
    text
}

/// A table of what is possible, and how much of it the engine does; without memcached, the engine or bounds, nothing.
pub fn room(comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    for comparison in comparisons {
        let (Some(memcached), Some(engine)) =
            (comparison.outcome("memcached"), comparison.outcome(ENGINE))
        else {
            continue;
        };
        if comparison.bound.reads == 0 {
            continue;
        }
        if text.is_empty() {
            text.push_str(
                "| stream | first requests | least | knowing the future | memcached | engine | fewer misses than memcached: \
                 least | knowing the future | engine | of the gap |\n",
            );
            text.push_str(&"| --- ".repeat(10));
            text.push_str("|\n");
        }
        let [(_, first), (_, least), (_, clairvoyant)] = comparison.bounds();
        let (of_memcached, of_engine) = (memcached.miss_percent, engine.miss_percent);
        let fewer = |percent: f64| 100.0 * (1.0 - percent / of_memcached);
        let gap = of_memcached - clairvoyant;
        let _ = writeln!(
            text,
            "| {} | {first:.2} | {least:.2} | {clairvoyant:.2} | {of_memcached:.2} | {of_engine:.2} | {:.1}% | {:.1}% | \
             {:.1}% | {:.0}% |",
            comparison.spec.name,
            fewer(least),
            fewer(clairvoyant),
            fewer(of_engine),
            100.0 * (of_memcached - of_engine) / gap
        );
    }
    text
}

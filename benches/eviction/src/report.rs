//! Results as text.

use std::fmt::Write;

use crate::run::Comparison;

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
    text.push_str("| stream | unavoidable | clairvoyant |");
    for outcome in &first.outcomes {
        let _ = write!(text, " {} |", outcome.cache);
    }
    text.push_str("\n| --- | --- | --- |");
    text.push_str(&" --- |".repeat(first.outcomes.len()));
    text.push('\n');
    for comparison in comparisons {
        let _ = write!(
            text,
            "| {} | {:.2} | {:.2} |",
            comparison.spec.name, comparison.first_percent, comparison.clairvoyant_percent
        );
        for outcome in &comparison.outcomes {
            let _ = write!(text, " {:.2} |", outcome.miss_percent);
        }
        text.push('\n');
    }
    text
}

/// Everything, for other programs.
pub fn csv(comparisons: &[Comparison]) -> String {
    let mut text = String::from("stream,limit_bytes,cache,miss_percent,items\n");
    for comparison in comparisons {
        let bounds = [
            ("unavoidable", comparison.first_percent),
            ("clairvoyant", comparison.clairvoyant_percent),
        ];
        for (name, percent) in bounds {
            let _ = writeln!(
                text,
                "\"{}\",{},{name},{percent:.4},",
                comparison.spec.name, comparison.limit_bytes
            );
        }
        for outcome in &comparison.outcomes {
            let _ = writeln!(
                text,
                "\"{}\",{},{},{:.4},{}",
                comparison.spec.name,
                comparison.limit_bytes,
                outcome.cache,
                outcome.miss_percent,
                outcome.items
            );
        }
    }
    text
}

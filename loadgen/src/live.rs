//! The status line while something runs: one line, rewritten, on a terminal only.

use crate::measurement::Window;
use crate::record::Stage;
use crate::units::{format_count, format_latency, format_share};
use std::io::{IsTerminal, Write, stderr};

/// Writes a line to standard error. A failure to write is ignored: the report goes elsewhere.
pub fn note(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// The status line and progress messages, on standard error.
#[derive(Debug)]
pub struct Live {
    terminal: bool,
    quiet: bool,
    stage: String,
    planned_s: f64,
}

impl Live {
    /// A status line; with `quiet` nothing is shown.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self {
            terminal: stderr().is_terminal(),
            quiet,
            stage: String::new(),
            planned_s: 0.0,
        }
    }

    /// Shows the name of the stage that begins now.
    pub fn stage(&mut self, what: &str) {
        self.stage = what.to_owned();
        self.planned_s = 0.0;
        self.rewrite(what);
    }

    /// Shows the name of a stage that takes `seconds` seconds.
    pub fn stage_for(&mut self, what: &str, seconds: f64) {
        self.stage(what);
        self.planned_s = seconds;
    }

    /// Shows a window that has just ended.
    pub fn window(&mut self, window: &Window) {
        if self.quiet || !self.terminal {
            return;
        }
        let (counts, response) = (&window.counts, &window.response);
        let at = |quantile| {
            let value = || response.value_at_quantile(quantile);
            format_latency((!response.is_empty()).then(value))
        };
        let asked = counts.hits + counts.misses;
        let progress = match window.stage {
            Stage::WarmUp => "warm-up".to_owned(),
            _ if self.planned_s > 0.0 => format!(
                "{:.0}%",
                100.0 * ((window.start_s + window.length_s) / self.planned_s).clamp(0.0, 1.0)
            ),
            _ => String::new(),
        };
        let hit = if asked > 0 {
            format!("hit {}", format_share(counts.hits as f64 / asked as f64))
        } else {
            String::new()
        };
        let errors = if counts.errors_total() > 0 {
            format!("errors {}", format_count(counts.errors_total() as f64))
        } else {
            String::new()
        };
        // The most important parts come first: parts that do not fit are left out.
        self.rewrite(&fitted(&[
            format!("{} {progress}", self.stage),
            format!(
                "{} of {}/s",
                format_count(window.rate()),
                format_count(window.offered())
            ),
            format!("p50 {} p99 {}", at(0.5), at(0.99)),
            errors,
            hit,
            format!("client {}", format_share(window.client_busy())),
            format!("in flight {}", format_count(window.totals.in_flight as f64)),
        ]));
    }

    /// A line that stays.
    pub fn message(&self, text: &str) {
        if !self.quiet {
            self.clear();
            note(text);
        }
    }

    /// A line about a step that stays on a terminal; the report has it again.
    pub fn step(&self, text: &str) {
        if self.terminal {
            self.message(text);
        }
    }

    /// Removes the status line.
    pub fn clear(&self) {
        if !self.quiet && self.terminal {
            self.rewrite("");
        }
    }

    fn rewrite(&self, text: &str) {
        if !self.quiet && self.terminal {
            let mut terminal = stderr().lock();
            let line = fitted(&[text.to_owned()]);
            // A terminal that cannot be written to has no status line.
            let _ = write!(terminal, "\r{line}{ERASE_REST}").and_then(|()| terminal.flush());
        }
    }
}

/// Erases from the cursor to the end of the line.
const ERASE_REST: &str = "\x1b[K";
/// A line of this length leaves the last column of the narrowest usual terminal free: a longer one would wrap, and its
/// first part would stay when it is rewritten.
const COLUMNS_MAX: usize = 79;

/// As many of the parts as fit in a line, in their order; if the first part is too long, its beginning.
fn fitted(parts: &[String]) -> String {
    let mut line = String::new();
    for part in parts.iter().filter(|part| !part.trim().is_empty()) {
        let gap = if line.is_empty() { "" } else { "  " };
        let columns = line.chars().count() + gap.len() + part.chars().count();
        if columns <= COLUMNS_MAX {
            line.push_str(gap);
            line.push_str(part.trim_end());
        } else if line.is_empty() {
            line.extend(part.chars().take(COLUMNS_MAX));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_fits_a_terminal_whatever_it_says() {
        let part = |length: usize| "x".repeat(length);
        assert_eq!(fitted(&[part(200)]).len(), COLUMNS_MAX);
        assert_eq!(fitted(&[part(40), part(50), part(30)]).len(), 72);
        assert_eq!(fitted(&[part(3), String::new(), part(3)]), "xxx  xxx");
        assert_eq!(fitted(&[part(39), part(38)]).len(), COLUMNS_MAX);
    }
}

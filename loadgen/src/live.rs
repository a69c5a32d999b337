//! The status line while something runs: one line, rewritten, on a terminal only.

use crate::measurement::Window;
use crate::record::Stage;
use crate::units::{format_count, format_latency, format_share};
use std::io::{IsTerminal, Write, stderr};

/// The status line and progress messages, on standard error.
#[derive(Debug)]
pub struct Live {
    terminal: bool,
    quiet: bool,
    stage: String,
    planned_s: f64,
}

impl Live {
    /// Quiet means that nothing is shown.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self {
            terminal: stderr().is_terminal(),
            quiet,
            stage: String::new(),
            planned_s: 0.0,
        }
    }

    /// Says what is being done from now on.
    pub fn stage(&mut self, what: &str) {
        self.stage = what.to_owned();
        self.planned_s = 0.0;
        self.rewrite(what);
    }

    /// The same, for something that takes a known time.
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
        let hit = if asked > 0 {
            format!("  hit {}", format_share(counts.hits as f64 / asked as f64))
        } else {
            String::new()
        };
        let progress = match window.stage {
            Stage::WarmUp => "  warm-up".to_owned(),
            _ if self.planned_s > 0.0 => format!(
                "  {:.0}%",
                100.0 * ((window.start_s + window.length_s) / self.planned_s).clamp(0.0, 1.0)
            ),
            _ => String::new(),
        };
        let text = format!(
            "{}{progress}  due {}/s  answered {}/s  p50 {}  p99 {}{hit}  errors {}  in flight {}  client {}",
            self.stage,
            format_count(window.offered()),
            format_count(window.rate()),
            at(0.5),
            at(0.99),
            counts.errors_total(),
            window.totals.in_flight,
            format_share(window.client_busy())
        );
        self.rewrite(&text);
    }

    /// A line that stays.
    pub fn message(&self, text: &str) {
        if !self.quiet {
            self.clear();
            eprintln!("{text}");
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
            eprint!("\r\x1b[2K");
        }
    }

    fn rewrite(&self, text: &str) {
        if !self.quiet && self.terminal {
            eprint!("\r\x1b[2K{text}");
            // A terminal that cannot be written to has no status line.
            let _ = stderr().flush();
        }
    }
}

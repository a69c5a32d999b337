//! The settings while the command line is read, and what is to be said about them.

use crate::base::config::Config;

use super::number::leading_integer;

/// Settings in the making, with messages about them.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The settings so far.
    pub(super) config: Config,
    /// Messages that the user should see in any case.
    pub(super) warnings: Vec<String>,
    /// Messages about options that have no effect here; printed with `-v`.
    pub(super) notes: Vec<String>,
}

impl Draft {
    /// Adds a message about an option that has no effect here.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Warns if `value` is a word, which memcached takes for 0 and says nothing; `option` is what it was given to.
    pub(super) fn warn_of_word(&mut self, option: &str, value: &str) {
        if leading_integer(value).is_none() {
            self.warnings.push(format!(
                "WARNING: {option} takes a number: \"{value}\" is 0, as in memcached"
            ));
        }
    }
}

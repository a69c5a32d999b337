//! An error of the command line: its message, and the code with which the process exits.
//!
//! ```text
//!   Maximum connections must be greater than 0           memcached's words, where it has such an error
//!   corecached: -c x is refused: -c takes a number ...   which option that is, and what it takes
//! ```

use std::fmt;

/// Exit code of most bad values, as memcached's.
pub(super) const EXIT_FAILURE: u8 = 1;
/// Exit code of the other bad values: EX_USAGE of sysexits.h.
pub(super) const EXIT_USAGE: u8 = 64;

/// Exit code of an address that cannot be read, as of one that cannot be had: EX_OSERR of sysexits.h.
pub(super) const EXIT_ADDRESS: u8 = 71;

/// An error of the command line, with which the server does not start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    /// What is wrong, for standard error.
    pub(super) message: String,
    /// Which option is meant and what to do, if the message does not say so.
    pub(super) advice: Option<String>,
    /// The code to exit with.
    pub(super) code: u8,
}

impl CliError {
    /// An error like most: a bad value.
    pub(super) fn failure(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            message,
            advice: None,
            code: EXIT_FAILURE,
        }
    }

    /// An error for which memcached has a code of its own.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            message,
            advice: None,
            code: EXIT_USAGE,
        }
    }

    /// An error of an address.
    pub(super) fn address(message: impl Into<String>) -> Self {
        Self {
            code: EXIT_ADDRESS,
            ..Self::usage(message)
        }
    }

    /// The same error with an advice, if it has none yet.
    pub(super) fn advising(self, advice: impl Into<String>) -> Self {
        Self {
            advice: self.advice.or_else(|| Some(advice.into())),
            ..self
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "\ncorecached: {advice}"),
            None => Ok(()),
        }
    }
}

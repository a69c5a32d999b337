//! The errors that can end a run early, and their exit codes. Every message says what was seen and what to do about it.

use std::fmt;
use std::io;

/// Exit codes of the binary; documented in `--help` and the README. Code 2 is clap's, for a wrong command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was measured.
    Ok = 0,
    /// The machine or a file refused (descriptors, io_uring, an output that cannot be written).
    Failed = 1,
    /// The command line or a combination of options makes no sense.
    Usage = 2,
    /// No server answered, or the answer was not of the protocol asked for.
    NoServer = 3,
    /// During the run connections closed, replies were lost, or bytes came that are no replies; the run went on and
    /// reported.
    ServerLost = 4,
    /// Values came back wrong: the run's numbers do not matter before that is understood.
    Violations = 5,
    /// The service level objective was not met (`run --slo`), or at no rate (`search`).
    SloMissed = 6,
    /// Most requests were refused; with `--strict` also: the client was the limit, the load was not sustained, or
    /// any request failed.
    Strict = 7,
    /// B is worse than A in something (`compare`).
    Worse = 8,
    /// SIGINT cut a command short that needs all of its measurements.
    Interrupted = 130,
    /// SIGTERM cut a command short.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the run, carrying its exit code.
#[derive(Debug)]
pub struct LoadError {
    exit: Exit,
    message: String,
}

impl LoadError {
    /// An error with the exit code `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// A combination of options that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A failure of this machine: a system call or a file.
    pub fn failed(what: &str, error: &io::Error) -> Self {
        Self::new(Exit::Failed, format!("{what}: {error}"))
    }

    /// The code the process should exit with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LoadError {}

/// The result of everything that can end a run.
pub type Result<T> = std::result::Result<T, LoadError>;

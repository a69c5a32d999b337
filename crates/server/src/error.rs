//! What can keep the server from starting. Each message says what is wrong and what to do about it.

use std::fmt;
use std::io;

/// Why the server does not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The kernel lacks or forbids what the data path needs.
    Kernel(corecached_reactor::StartError),
    /// Address space for the cache could not be had.
    Memory(io::Error),
    /// An executor could not be started.
    Executor(String),
    /// A sentence that says it all.
    Message(String),
    /// The same, where the system refuses something: an address, a limit, a change of user.
    System(String),
    /// The user of `-u` does not exist.
    NoUser(String),
}

impl StartError {
    /// The exit code: memcached's, which are those of sysexits.h.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            StartError::NoUser(_) => 67,
            StartError::System(_) => 71,
            _ => 1,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Kernel(error) => write!(f, "{error}"),
            StartError::Memory(error) => {
                write!(
                    f,
                    "cannot reserve address space for the cache ({error}): is `ulimit -v` set, or vm.overcommit_memory 2?"
                )
            }
            StartError::Executor(error) => write!(f, "cannot start an executor: {error}"),
            StartError::Message(message)
            | StartError::System(message)
            | StartError::NoUser(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

impl From<corecached_reactor::StartError> for StartError {
    fn from(error: corecached_reactor::StartError) -> Self {
        StartError::Kernel(error)
    }
}

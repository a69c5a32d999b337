//! The reasons why the server cannot start. Each message says what is wrong and how to mend it.

use std::fmt;
use std::io;

use corecached_reactor::Io;

/// The reason why the server does not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The kernel lacks or forbids a feature that the data path needs.
    Kernel(corecached_reactor::StartError),
    /// Address space for the cache is not available.
    Memory(io::Error),
    /// A thread could not be started.
    Thread {
        /// Number of shards whose threads were to be started.
        threads: usize,
        /// The reason why there are fewer.
        why: String,
    },
    /// An executor could not be started.
    Executor(String),
    /// A sentence that says all.
    Message(String),
    /// A sentence about a refusal of the system: of an address, a limit, a change of user.
    System(String),
    /// The user of `-u` does not exist.
    NoUser(String),
    /// A sentence about an option that is missing or names a file that cannot be used.
    Usage(String),
}

/// Number of threads of a shard: its own, and with rings one that glommio keeps for calls that block.
fn threads_of_shard(io: Io) -> usize {
    match io {
        Io::Uring => 2,
        Io::Epoll => 1,
    }
}

impl StartError {
    /// The error that a thread of one of `shards` shards could not be started.
    pub(crate) fn thread(io: Io, shards: usize, why: impl ToString) -> Self {
        StartError::Thread {
            threads: 1 + threads_of_shard(io) * shards,
            why: why.to_string(),
        }
    }

    /// The exit code, as memcached's; some of them are those of sysexits.h.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            StartError::NoUser(_) => 67,
            StartError::Usage(_) => 64,
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
                    "cannot reserve address space for the cache ({error}): lower -m or -t, raise `ulimit -v` and \
                     `ulimit -d`, or set vm.overcommit_memory to 0"
                )
            }
            StartError::Thread { threads, why } => write!(
                f,
                "cannot start a thread, and {threads} are needed ({why}): raise the limit on processes (`ulimit -u`, \
                 LimitNPROC= and TasksMax= of the systemd unit, --pids-limit of the container), start fewer shards with -t, or \
                 allow clone and clone3 where a seccomp filter denies them"
            ),
            StartError::Executor(error) => write!(f, "cannot start an executor: {error}"),
            StartError::Message(message)
            | StartError::System(message)
            | StartError::NoUser(message)
            | StartError::Usage(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

impl From<corecached_reactor::StartError> for StartError {
    fn from(error: corecached_reactor::StartError) -> Self {
        StartError::Kernel(error)
    }
}

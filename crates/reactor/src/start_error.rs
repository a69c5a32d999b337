//! The reasons why a reactor cannot start on this machine, with their remedies.

use std::fmt;
use std::io;

use libc::RLIM_INFINITY;

use crate::config::ReactorConfig;
use crate::memlock;
use crate::release::KernelRelease;

/// A reason not to start. `Display` says what is wrong and how to mend it.
#[derive(Debug)]
pub enum StartError {
    /// The kernel lacks features.
    KernelTooOld {
        /// The release of the running kernel, if it could be read.
        running: Option<KernelRelease>,
    },
    /// The sysctl `kernel.io_uring_disabled` forbids io_uring: 1 to processes outside a group, 2 to all.
    DisabledBySysctl {
        /// The sysctl's value.
        value: u32,
    },
    /// Something else forbids io_uring, nearly always the seccomp filter of a container.
    Forbidden {
        /// The system call that is forbidden.
        call: &'static str,
        /// `EPERM`, `EACCES` or `ENOSYS`.
        errno: i32,
    },
    /// The limit of locked memory is too low and cannot be raised.
    MemlockTooLow {
        /// The limit in bytes.
        bytes: u64,
        /// The limit in bytes that suffices.
        needed_bytes: u64,
    },
    /// The limit of locked memory cannot be asked for.
    MemlockUnknown {
        /// The kernel's error.
        error: io::Error,
    },
    /// The kernel refused memory for the ring: the limit of locked memory of this user, or of the control group.
    OutOfMemory {
        /// The limit of locked memory that suffices.
        needed_bytes: u64,
        /// The limit of locked memory, if it is known and would suffice: other processes have used it up.
        limit_bytes: Option<u64>,
    },
    /// No descriptor is left.
    OutOfDescriptors {
        /// `EMFILE` (this process) or `ENFILE` (the system).
        errno: i32,
    },
    /// Something unforeseen.
    Io {
        /// The step that failed.
        action: &'static str,
        /// The kernel's error.
        error: io::Error,
    },
}

impl StartError {
    /// The error for memory that the kernel refused to one of `shards` shards.
    pub fn out_of_memory(shards: usize) -> StartError {
        let needed_bytes = memlock::bytes_needed(shards, &ReactorConfig::default(), page_bytes());
        let limit_bytes = memlock::limit().map(|limit| limit.rlim_cur).ok();
        StartError::OutOfMemory {
            needed_bytes,
            limit_bytes: limit_bytes.filter(|limit| (needed_bytes..RLIM_INFINITY).contains(limit)),
        }
    }

    pub(crate) fn memlock_too_low(bytes: u64, shards: usize) -> Option<StartError> {
        // Older kernels count less, so only a limit below the one that glommio insists on is a reason not to try.
        (bytes < memlock::EXECUTOR_BYTES_MIN).then(|| StartError::MemlockTooLow {
            bytes,
            needed_bytes: memlock::bytes_needed(shards, &ReactorConfig::default(), page_bytes()),
        })
    }

    pub(crate) fn memlock_too_low_for_all(
        bytes: u64,
        release: KernelRelease,
        shards: usize,
    ) -> Option<StartError> {
        let config = ReactorConfig::default();
        let needed_bytes = memlock::bytes_counted(release, shards, &config, page_bytes());
        (bytes < needed_bytes).then_some(StartError::MemlockTooLow {
            bytes,
            needed_bytes,
        })
    }

    /// Whether epoll needs none of what is missing, so that the server can run on it.
    pub fn leaves_epoll(&self) -> bool {
        !matches!(self, Self::OutOfDescriptors { .. })
    }

    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |error| StartError::Io { action, error }
    }
}

pub(crate) fn page_bytes() -> u64 {
    // SAFETY: asks for a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096).max(1)
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KernelTooOld { running } => {
                write!(f, "Linux {} or later is needed", KernelRelease::MINIMUM)?;
                match running {
                    Some(release) => write!(f, ", this is {release}: update the kernel"),
                    None => write!(f, " (this kernel lacks io_uring features): update the kernel"),
                }
            }
            Self::DisabledBySysctl { value: 1 } => f.write_str(
                "io_uring is reserved for a group (kernel.io_uring_disabled = 1): add this user to the group whose id \
                 is in kernel.io_uring_group, or run `sysctl -w kernel.io_uring_disabled=0`",
            ),
            Self::DisabledBySysctl { value } => write!(
                f,
                "io_uring is switched off (kernel.io_uring_disabled = {value}): run \
                 `sysctl -w kernel.io_uring_disabled=0` on the host, and put it into /etc/sysctl.d to keep it",
            ),
            Self::Forbidden { call, errno } => write!(
                f,
                "{call} is forbidden ({}), most likely by the seccomp filter of a container or service: start \
                 the container with `--security-opt seccomp=PROFILE.json` where the profile allows io_uring_setup, \
                 io_uring_enter and io_uring_register (or `seccomp=unconfined`), or add \
                 `SystemCallFilter=io_uring_setup io_uring_enter io_uring_register` to the systemd unit",
                errno_text(*errno),
            ),
            Self::MemlockTooLow {
                bytes,
                needed_bytes,
            } => write!(
                f,
                "the limit of locked memory is {} KiB and {} KiB are needed: raise it with `ulimit -l`, \
                 `LimitMEMLOCK=infinity` in the systemd unit, or `docker run --ulimit memlock=-1`",
                bytes / 1024,
                needed_bytes / 1024,
            ),
            Self::MemlockUnknown { error } => write!(
                f,
                "the limit of locked memory cannot be read ({error}): where a seccomp filter denies prlimit64, allow it"
            ),
            Self::OutOfMemory {
                needed_bytes,
                limit_bytes: Some(limit_bytes),
            } => write!(
                f,
                "the kernel refused memory for io_uring: all processes of this user together may lock {} KiB, of which {} KiB \
                 are needed here, and other processes hold too much of the rest: end them, run this server as a user \
                 of its own, or raise the limit (`ulimit -l`, `LimitMEMLOCK=infinity`, `docker run --ulimit memlock=-1`)",
                limit_bytes / 1024,
                needed_bytes / 1024,
            ),
            Self::OutOfMemory { needed_bytes, .. } => write!(
                f,
                "the kernel refused memory for io_uring: raise the limit of locked memory, which counts for all processes of \
                 this user together and of which {} KiB are needed here (`ulimit -l`, `LimitMEMLOCK=infinity`, `docker run \
                 --ulimit memlock=-1`), or the memory limit of the control group",
                needed_bytes / 1024,
            ),
            Self::OutOfDescriptors { errno } => write!(
                f,
                "no file descriptor is left for io_uring ({}): raise `ulimit -n` or `LimitNOFILE=`, or fs.file-max",
                errno_text(*errno),
            ),
            Self::Io { action, error } => write!(f, "cannot {action}: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The reason why `call`, made on a ring that exists, failed.
pub(crate) fn call_error(call: &'static str, error: io::Error) -> StartError {
    match error.raw_os_error() {
        Some(errno @ (libc::EPERM | libc::EACCES | libc::ENOSYS)) => {
            StartError::Forbidden { call, errno }
        }
        Some(libc::ENOMEM | libc::EAGAIN) => StartError::out_of_memory(1),
        _ => StartError::Io {
            action: "use io_uring",
            error,
        },
    }
}

/// Why `io_uring_setup` failed with `errno`, given `kernel.io_uring_disabled` (if there is such a sysctl) and the
/// running release (if it could be told). Pure.
pub fn setup_error(
    errno: i32,
    io_uring_disabled: Option<u32>,
    running: Option<KernelRelease>,
) -> StartError {
    let is_old = running.is_some_and(|release| release < KernelRelease::MINIMUM);
    match (errno, io_uring_disabled) {
        // Disabled by sysctl, the call fails with EPERM; the value tells that from a filter.
        (libc::EPERM, Some(value @ 1..)) => StartError::DisabledBySysctl { value },
        (libc::EPERM | libc::EACCES, _) => StartError::Forbidden {
            call: "io_uring_setup",
            errno,
        },
        (libc::ENOSYS | libc::EINVAL, _) if is_old => StartError::KernelTooOld { running },
        // A new kernel without the call: Docker's filter answers ENOSYS to what it does not know.
        (libc::ENOSYS, _) => StartError::Forbidden {
            call: "io_uring_setup",
            errno,
        },
        (libc::EINVAL, _) => StartError::KernelTooOld { running: None },
        (libc::ENOMEM, _) => StartError::out_of_memory(1),
        (libc::EMFILE | libc::ENFILE, _) => StartError::OutOfDescriptors { errno },
        _ => StartError::Io {
            action: "set up io_uring",
            error: io::Error::from_raw_os_error(errno),
        },
    }
}

fn errno_text(errno: i32) -> String {
    io::Error::from_raw_os_error(errno).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Option<KernelRelease> = Some(KernelRelease::new(6, 18));
    const OLD: Option<KernelRelease> = Some(KernelRelease::new(5, 14));

    fn text(errno: i32, disabled: Option<u32>, release: Option<KernelRelease>) -> String {
        setup_error(errno, disabled, release).to_string()
    }

    #[test]
    fn names_the_minimum_kernel() {
        let message = text(libc::EINVAL, Some(0), OLD);
        assert_eq!(
            message,
            "Linux 6.1 or later is needed, this is 5.14: update the kernel"
        );
        assert!(text(libc::ENOSYS, None, OLD).contains("this is 5.14"));
        assert!(text(libc::EINVAL, None, None).contains("Linux 6.1 or later"));
    }

    #[test]
    fn tells_the_sysctl_from_a_filter() {
        assert!(text(libc::EPERM, Some(1), NEW).contains("kernel.io_uring_group"));
        assert!(text(libc::EPERM, Some(2), NEW).contains("sysctl -w kernel.io_uring_disabled=0"));
        for (errno, disabled) in [
            (libc::EPERM, Some(0)),
            (libc::EPERM, None),
            (libc::ENOSYS, Some(0)),
        ] {
            let message = text(errno, disabled, NEW);
            assert!(message.contains("--security-opt seccomp="), "{message}");
            assert!(message.contains("SystemCallFilter="), "{message}");
        }
    }

    #[test]
    fn names_the_limits() {
        assert!(text(libc::ENOMEM, Some(0), NEW).contains("LimitMEMLOCK=infinity"));
        assert!(text(libc::EMFILE, Some(0), NEW).contains("ulimit -n"));
        let low = StartError::memlock_too_low(64 << 10, 1)
            .expect("it is too low")
            .to_string();
        assert!(low.contains("64 KiB and 512 KiB are needed"), "{low}");
        assert!(low.contains("--ulimit memlock=-1"), "{low}");
        assert!(text(libc::EFAULT, Some(0), NEW).starts_with("cannot set up io_uring: "));
    }

    #[test]
    fn memory_that_others_hold_is_told_from_a_low_limit() {
        let refused = |limit_bytes| {
            let error = StartError::OutOfMemory {
                needed_bytes: 512 << 10,
                limit_bytes,
            };
            error.to_string()
        };
        let by_others = refused(Some(8 << 20));
        assert!(by_others.contains("may lock 8192 KiB, of which 512 KiB are needed here"));
        assert!(by_others.contains("other processes"));
        assert!(refused(None).contains("raise the limit of locked memory"));
    }
}

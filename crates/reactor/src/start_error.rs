//! Why a reactor cannot start on this machine, and what to do about it.

use std::fmt;
use std::io;

use crate::release::KernelRelease;

/// Glommio refuses to start an executor below this limit of locked memory.
pub(crate) const MEMLOCK_BYTES_MIN: u64 = 512 * 1024;

/// A reason not to start. `Display` says what is wrong and how to mend it.
#[derive(Debug)]
pub enum StartError {
    /// The kernel lacks features.
    KernelTooOld {
        /// The kernel that runs, if it could be told.
        running: Option<KernelRelease>,
    },
    /// The sysctl `kernel.io_uring_disabled` forbids io_uring: 1 to processes outside a group, 2 to all.
    DisabledBySysctl {
        /// The sysctl's value.
        value: u32,
    },
    /// Something else forbids io_uring, nearly always the seccomp filter of a container.
    Forbidden {
        /// `EPERM`, `EACCES` or `ENOSYS`.
        errno: i32,
    },
    /// The hard limit of locked memory is too low.
    MemlockTooLow {
        /// The hard limit in bytes.
        hard_bytes: u64,
    },
    /// The kernel refused memory for the ring: the limit of locked memory of this user, or of the control group.
    OutOfMemory,
    /// No descriptor is left.
    OutOfDescriptors {
        /// `EMFILE` (this process) or `ENFILE` (the system).
        errno: i32,
    },
    /// Something unforeseen.
    Io {
        /// What was being done.
        action: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
}

impl StartError {
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |error| StartError::Io { action, error }
    }
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
            Self::Forbidden { errno } => write!(
                f,
                "io_uring_setup is forbidden ({}), most likely by the seccomp filter of a container or service: start \
                 the container with `--security-opt seccomp=PROFILE.json` where the profile allows io_uring_setup, \
                 io_uring_enter and io_uring_register (or `seccomp=unconfined`), or add \
                 `SystemCallFilter=io_uring_setup io_uring_enter io_uring_register` to the systemd unit",
                errno_text(*errno),
            ),
            Self::MemlockTooLow { hard_bytes } => write!(
                f,
                "the limit of locked memory is {} KiB and {} KiB are needed: raise it with `ulimit -l`, \
                 `LimitMEMLOCK=infinity` in the systemd unit, or `docker run --ulimit memlock=-1`",
                hard_bytes / 1024,
                MEMLOCK_BYTES_MIN / 1024,
            ),
            Self::OutOfMemory => f.write_str(
                "the kernel refused memory for io_uring: raise the limit of locked memory (`ulimit -l`, \
                 `LimitMEMLOCK=infinity`, `docker run --ulimit memlock=-1`) or the memory limit of the control group",
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
        (libc::EPERM | libc::EACCES, _) => StartError::Forbidden { errno },
        (libc::ENOSYS | libc::EINVAL, _) if is_old => StartError::KernelTooOld { running },
        // A new kernel without the call: Docker's filter answers ENOSYS to what it does not know.
        (libc::ENOSYS, _) => StartError::Forbidden { errno },
        (libc::EINVAL, _) => StartError::KernelTooOld { running: None },
        (libc::ENOMEM, _) => StartError::OutOfMemory,
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
        let low = StartError::MemlockTooLow {
            hard_bytes: 64 << 10,
        }
        .to_string();
        assert!(low.contains("64 KiB and 512 KiB are needed"), "{low}");
        assert!(low.contains("--ulimit memlock=-1"), "{low}");
        assert!(text(libc::EFAULT, Some(0), NEW).starts_with("cannot set up io_uring: "));
    }
}

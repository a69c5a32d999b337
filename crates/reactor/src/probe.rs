//! Looks at the machine before anything is started: kernel, sysctl, filters, limits.

use std::fs;
use std::io;

use io_uring::{IoUring, cqueue, squeue};

use crate::release::KernelRelease;
use crate::start_error::{MEMLOCK_BYTES_MIN, StartError, setup_error};

/// What this kernel can do beyond the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The running release.
    pub release: KernelRelease,
    /// The timer of the warm window repeats by itself.
    pub multishot_timeout: bool,
    /// [`crate::Reactor::turn_batched`] can gather completions.
    pub min_wait: bool,
}

impl Features {
    fn of(release: KernelRelease) -> Self {
        Self {
            release,
            multishot_timeout: release >= KernelRelease::MULTISHOT_TIMEOUT,
            min_wait: release >= KernelRelease::MIN_WAIT,
        }
    }
}

/// Checks that reactors and glommio executors can start here, and raises the soft limit of locked memory to the hard
/// one. Call it first, once per process.
pub fn probe() -> Result<Features, StartError> {
    let features = features()?;
    let mut builder = IoUring::<squeue::Entry, cqueue::Entry>::builder();
    builder
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag();
    builder.build(8).map(drop).map_err(explain)?;
    raise_memlock()?;
    Ok(features)
}

/// What the running kernel can do.
pub(crate) fn features() -> Result<Features, StartError> {
    match running_release() {
        Some(release) if release < KernelRelease::MINIMUM => {
            let running = Some(release);
            Err(StartError::KernelTooOld { running })
        }
        // A release nobody can parse: let the set-up decide, without what is optional.
        release => Ok(Features::of(release.unwrap_or(KernelRelease::MINIMUM))),
    }
}

/// Why setting up a ring failed on this machine.
pub(crate) fn explain(error: io::Error) -> StartError {
    match error.raw_os_error() {
        Some(errno) => setup_error(errno, io_uring_disabled(), running_release()),
        None => StartError::io("set up io_uring")(error),
    }
}

fn running_release() -> Option<KernelRelease> {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .ok()?
        .parse()
        .ok()
}

fn io_uring_disabled() -> Option<u32> {
    let value = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    value.trim().parse().ok()
}

fn raise_memlock() -> Result<(), StartError> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes to a live `rlimit`.
    if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } != 0 {
        return Err(StartError::io("read the limit of locked memory")(
            io::Error::last_os_error(),
        ));
    }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: reads a live `rlimit`. Raising the soft limit up to the hard one needs no privilege; should it fail
        // all the same, the check below still sees the soft limit that is in force.
        if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } != 0 {
            return Err(StartError::io("raise the limit of locked memory")(
                io::Error::last_os_error(),
            ));
        }
    }
    if limit.rlim_max < MEMLOCK_BYTES_MIN {
        let hard_bytes = limit.rlim_max;
        return Err(StartError::MemlockTooLow { hard_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_features_follow_the_release() {
        let at = |minor| Features::of(KernelRelease::new(6, minor));
        assert!(!at(1).multishot_timeout && !at(1).min_wait);
        assert!(at(4).multishot_timeout && !at(11).min_wait);
        assert!(at(12).multishot_timeout && at(12).min_wait);
    }

    #[test]
    fn this_machine_can_run_it() {
        let features = probe().expect("the tests need a machine that can run the server");
        assert!(features.release >= KernelRelease::MINIMUM);
    }
}

//! Looks at the machine before anything is started: kernel, sysctl, filters, limits.

use std::fs;
use std::io;

use io_uring::{IoUring, Probe, cqueue, opcode, squeue};

use crate::config::ReactorConfig;
use crate::memlock;
use crate::patience;
use crate::release::KernelRelease;
use crate::start_error::{StartError, call_error, page_bytes, setup_error};

/// The features of this kernel beyond the minimum.
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
    /// The features of epoll: none beyond the minimum.
    pub(crate) fn of_epoll() -> Self {
        let release = running_release().unwrap_or(KernelRelease::new(0, 0));
        Self {
            release,
            multishot_timeout: false,
            min_wait: false,
        }
    }

    fn of(release: KernelRelease) -> Self {
        Self {
            release,
            multishot_timeout: release >= KernelRelease::MULTISHOT_TIMEOUT,
            min_wait: release >= KernelRelease::MIN_WAIT,
        }
    }
}

/// Checks that `shards` reactors and glommio executors can start here, and raises the soft limit of locked memory to
/// the hard one. Call it first, once per process.
pub fn probe(shards: usize) -> Result<Features, StartError> {
    probe_ring(shards).map(|(features, _)| features)
}

/// As [`probe`], with the ring that was tried.
fn probe_ring(shards: usize) -> Result<(Features, IoUring), StartError> {
    let features = features()?;
    let mut builder = IoUring::<squeue::Entry, cqueue::Entry>::builder();
    builder
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag();
    let mut ring = builder.build(8).map_err(explain)?;
    try_calls(&mut ring)?;
    raise_memlock(shards)?;
    Ok((features, ring))
}

/// As [`probe`], for a caller who can do without rings: a limit of locked memory that is likely too low for the rings
/// of all shards is an error here, and not later, when some shards run.
pub fn probe_for_certain(shards: usize) -> Result<Features, StartError> {
    let (features, ring) = probe_ring(shards)?;
    let limit = memlock_limit()?.rlim_cur;
    if limit == libc::RLIM_INFINITY || may_lock_without_limit() {
        return Ok(features);
    }
    match StartError::memlock_too_low_for_all(limit, features.release, shards) {
        Some(error) => Err(error),
        None => is_room_for(&ring, features.release, shards).map(|()| features),
    }
}

/// Fails if other processes of this user have locked so much that what is left of the limit is less than the rings of
/// all shards take: several servers may run as one user. A buffer of that size is registered for a moment.
fn is_room_for(ring: &IoUring, release: KernelRelease, shards: usize) -> Result<(), StartError> {
    let config = ReactorConfig::default();
    let bytes = memlock::bytes_locked(release, shards, &config, page_bytes()) as usize;
    let Some(memory) = Scratch::new(bytes) else {
        return Err(StartError::out_of_memory(shards));
    };
    let buffer = libc::iovec {
        iov_base: memory.base,
        iov_len: bytes,
    };
    // SAFETY: the buffer stays mapped until it is unregistered; no operation names it.
    match unsafe { ring.submitter().register_buffers(&[buffer]) } {
        Ok(()) => {
            // Should that fail, the end of the ring does it.
            let _ = ring.submitter().unregister_buffers();
            Ok(())
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
            Err(StartError::out_of_memory(shards))
        }
        // The rings themselves will tell.
        Err(_) => Ok(()),
    }
}

/// Anonymous memory in small pages, which count as what they are.
struct Scratch {
    base: *mut libc::c_void,
    bytes: usize,
}

impl Scratch {
    fn new(bytes: usize) -> Option<Scratch> {
        let (rights, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, kind, -1, 0) };
        if base == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the range is this mapping; the advice changes no content. Kernels without huge pages refuse it.
        unsafe { libc::madvise(base, bytes, libc::MADV_NOHUGEPAGE) };
        Some(Scratch { base, bytes })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: the range is a mapping of this value, to which nothing refers.
        unsafe { libc::munmap(self.base, self.bytes) };
    }
}

/// Whether this process has CAP_IPC_LOCK, which exempts it from the limit of locked memory.
fn may_lock_without_limit() -> bool {
    const IPC_LOCK: u32 = 14;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let effective = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    capabilities.is_some_and(|capabilities| capabilities >> IPC_LOCK & 1 == 1)
}

/// Makes the other calls of io_uring once. A filter may allow to set a ring up and deny its use: glommio would panic
/// later.
fn try_calls(ring: &mut IoUring) -> Result<(), StartError> {
    let mut probe = Probe::new();
    patience::insist(|| ring.submitter().register_probe(&mut probe))
        .map_err(|error| call_error("io_uring_register", error))?;
    // SAFETY: the entry refers to no memory.
    let pushed = unsafe { ring.submission().push(&opcode::Nop::new().build()) };
    debug_assert!(pushed.is_ok(), "the queue is new");
    patience::insist(|| ring.submit_and_wait(1).map(drop))
        .map_err(|error| call_error("io_uring_enter", error))
}

/// The features of the running kernel.
pub(crate) fn features() -> Result<Features, StartError> {
    match running_release() {
        Some(release) if release < KernelRelease::MINIMUM => {
            let running = Some(release);
            Err(StartError::KernelTooOld { running })
        }
        // A release that cannot be parsed: let the set-up decide, without optional features.
        release => Ok(Features::of(release.unwrap_or(KernelRelease::MINIMUM))),
    }
}

/// The reason why setting up a ring failed on this machine.
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

/// Raises the limit of locked memory as far as that goes, and looks whether it suffices.
fn raise_memlock(shards: usize) -> Result<(), StartError> {
    let mut limit = memlock_limit()?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: reads a live `rlimit`. Raising the soft limit up to the hard one needs no privilege; should it fail
        // all the same, as under a filter, the soft limit that is in force counts.
        unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
    }
    match StartError::memlock_too_low(memlock_limit()?.rlim_cur, shards) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn memlock_limit() -> Result<libc::rlimit, StartError> {
    memlock::limit().map_err(|error| StartError::MemlockUnknown { error })
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
        let features = probe(1).expect("the tests need a machine that can run the server");
        assert!(features.release >= KernelRelease::MINIMUM);
    }
}

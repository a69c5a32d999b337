//! How long the kernel's scheduler lets other threads run before a shard's thread, when they share a CPU.
//!
//! ```text
//!   slice of a shard   3 ms     others .................... shard    its deadline is 3 ms after it woke, as is theirs
//!                      0.1 ms   others . shard . others .........    its deadline is 0.1 ms after it woke
//! ```
//!
//! EEVDF picks, among the threads that have had no more than their share, the one whose deadline is next: the time at
//! which it became eligible plus its slice over its weight. A shard's tick takes some 10 to 100 us, then it sleeps in
//! its ring. With the usual slice it waits behind the others' slices; with a short one it is next when it has work, and
//! has no larger share of the CPU for that. It may be preempted sooner, too; a thread alone on its CPU never is. Where
//! more than two shards share each CPU, they keep the usual slice: they would preempt each other, and find fewer
//! requests in each turn. The measurements are in `docs/benchmarks.md`, "A short slice" and "Two shards to a CPU".
//!
//! Since Linux 6.12 `sched_runtime` of `sched_setattr` is the slice of SCHED_OTHER (commit 857b158dc5e8, "Use
//! sched_attr::sched_runtime to set request/slice suggestion"; 0.1 to 100 ms); earlier kernels ignore it. Neither
//! rustix nor nix has this call, glibc only from 2.41 on.

use std::io;

use tracing::debug;

/// The shortest slice there is.
const SLICE_NS: u64 = 100_000;

/// The slice of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    /// The shortest one.
    Short,
    /// That of most threads, some milliseconds.
    Usual,
}

/// Asks for a short slice for the calling thread. Returns the slice in force. The nice value stays, and so does any
/// policy but SCHED_OTHER: an administrator who has chosen one means it. It is no error if a kernel or a container does
/// not allow it.
pub(crate) fn ask_for_short_slice() -> Slice {
    match shorten() {
        Ok(SLICE_NS) => {
            debug!(slice_ns = SLICE_NS, "scheduler's slice of this thread");
            return Slice::Short;
        }
        Ok(slice_ns) => debug!(slice_ns, "the scheduler's slice stays as it is"),
        Err(error) => debug!("the scheduler's slice stays as it is: {error}"),
    }
    Slice::Usual
}

/// Shortens the slice. Returns the slice in force afterwards, in nanoseconds: 0 if the kernel has none for the thread's
/// policy.
pub(super) fn shorten() -> io::Result<u64> {
    let mut attributes = get()?;
    if attributes.sched_policy == libc::SCHED_OTHER.unsigned_abs() {
        attributes.sched_runtime = SLICE_NS;
        set(&attributes)?;
        attributes = get()?;
    }
    Ok(attributes.sched_runtime)
}

/// The calling thread's policy, nice value and other scheduling attributes.
pub(super) fn get() -> io::Result<libc::sched_attr> {
    let size = size_of::<libc::sched_attr>();
    let mut attributes = libc::sched_attr {
        size: size as u32,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel writes at most `size` bytes to the structure that it is pointed to, which lives here; the
    // structure is made of integers.
    match unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) } {
        0 => Ok(attributes),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets attributes that [`get`] has returned.
pub(super) fn set(attributes: &libc::sched_attr) -> io::Result<()> {
    let attributes: *const libc::sched_attr = attributes;
    // SAFETY: the kernel reads as many bytes of the structure as its field `size` says, which is the structure's size.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, attributes, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

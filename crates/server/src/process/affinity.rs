//! Which CPU a thread runs on.

use std::io;
use std::sync::Once;

use crate::ground::config::Config;

use super::fatal::say;

/// The CPU for a shard: with one for each, shards are pinned; with fewer, the scheduler places them.
pub(crate) fn cpu_for(config: &Config, shard: usize) -> Option<usize> {
    let cpu = config.cpus.get(shard).copied();
    cpu.filter(|_| config.threads <= config.cpus.len())
}

/// Keeps the calling thread, and those that it starts, on `cpu`. True if that is so now: a container or a service may not
/// be allowed to choose, and is slower then, no worse.
pub(crate) fn pin(cpu: usize) -> bool {
    static SAID: Once = Once::new();
    let pinned = set_affinity(cpu);
    if let Err(error) = &pinned {
        SAID.call_once(|| {
            say(format_args!(
                "warning: shards are not pinned to CPUs: sched_setaffinity for CPU {cpu} failed: {error}. Everything works, \
                 with more moves between CPUs; where a seccomp filter denies it, `SystemCallFilter=sched_setaffinity` in the \
                 systemd unit, after the lines that deny, or the container's profile allows it"
            ));
        });
    }
    pinned.is_ok()
}

fn set_affinity(cpu: usize) -> io::Result<()> {
    // SAFETY: cpu_set_t is an array of integers, for which all zeroes are a value: the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if cpu >= 8 * size_of_val(&set) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: CPU_SET sets the bit `cpu` of a set that lives here, and cpu is below its number of bits.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads `size_of(set)` bytes of `set`, which lives through the call. 0 is this thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

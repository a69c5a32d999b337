//! The CPUs that this process may run on, and how many shards that makes.
//!
//! ```text
//!   sched_getaffinity (taskset, cpusets, --cpuset-cpus) --> CPUs --+--> shards: the smaller of both
//!   quota of the control group (CPUQuota=, --cpus) ---> rounded up +
//!
//!   at the start, where no -t says how many: the threads that the control group allows (TasksMax=, --pids-limit) and
//!   the limit on open files bound them, too
//! ```

use std::fs;

use super::cgroup;

/// Most shards. Shards are numbered by 16 bits; this many are more than any machine has CPUs today.
pub(crate) const THREADS_MAX: usize = 1024;

/// Threads of a shard, with glommio's.
const TASKS: u64 = 2;
/// Descriptors of a shard, rounded up.
const FILES: u64 = 20;

/// Whether each shard is kept on a CPU of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinning {
    /// Each shard has a CPU of its own if there are as many CPUs that no other server has claimed.
    IfFree,
    /// `--cpus`: shards run on the listed CPUs, whatever other servers run there.
    Listed,
    /// `-o no_pin`: shards are never kept on a CPU.
    Never,
}

/// The CPUs that this process may run on, in ascending order.
pub(crate) fn allowed() -> Vec<usize> {
    // SAFETY: cpu_set_t is an array of integers, for which all zeroes are a value: the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most `size_of(set)` bytes to `set`, which lives through the call. 0 is this thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    if result != 0 {
        // The machine has more CPUs than cpu_set_t has bits (1024): only their number is known then.
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        return (0..count).collect();
    }
    let capacity = 8 * size_of_val(&set);
    (0..capacity)
        .filter(|&cpu| {
            // SAFETY: CPU_ISSET reads the bit `cpu` of a set that lives here, and cpu is below its number of bits.
            unsafe { libc::CPU_ISSET(cpu, &set) }
        })
        .collect()
}

/// Number of shards of a server that may run on `cpus` CPUs and was not told how many: one for each CPU, but no more
/// than its control group gives time to. A further shard would wait for its turn when the others have used up the time.
pub(crate) fn shards_for(cpus: usize) -> usize {
    let quota = cgroup::cpus(&|path| fs::read_to_string(path).ok());
    shards(cpus, quota)
}

/// Number of shards to start if nobody said how many: as above, but no more than there are threads and descriptors for.
/// memcached starts four threads on any machine, so a limit that was enough for it may be little for one with many CPUs.
pub(crate) fn shards_to_start(cpus: usize) -> usize {
    let tasks = cgroup::tasks(&|path| fs::read_to_string(path).ok());
    bounded(shards_for(cpus), tasks, open_files())
}

fn bounded(shards: usize, tasks: Option<u64>, files: Option<u64>) -> usize {
    let by_tasks = tasks.map(|room| room.saturating_sub(1) / TASKS);
    // The other half is for connections.
    let by_files = files.map(|most| most / 2 / FILES);
    let most = by_tasks.into_iter().chain(by_files).min();
    let most = most.and_then(|most| usize::try_from(most).ok());
    shards.min(most.unwrap_or(usize::MAX)).max(1)
}

/// Most files that this process may have open, unless it may raise the limit.
fn open_files() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: geteuid only reads a number of the process; the limit is written to a structure that lives here.
    let is_known = unsafe {
        libc::geteuid() != 0 && libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0
    };
    is_known.then_some(limit.rlim_max)
}

fn shards(cpus: usize, quota: Option<f64>) -> usize {
    let most = quota.map_or(usize::MAX, |quota| quota.ceil() as usize);
    cpus.min(most).clamp(1, THREADS_MAX)
}

/// The CPUs of a list such as `0-3,8`. `None` if `text` is not a list, or names a CPU twice.
pub(crate) fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |word: &str| word.parse::<u16>().ok().map(usize::from);
        let (first, last) = (number(first)?, number(last)?);
        if first > last || (first..=last).any(|cpu| cpus.contains(&cpu)) {
            return None;
        }
        cpus.extend(first..=last);
    }
    (cpus.len() <= THREADS_MAX).then_some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_bounds_the_shards() {
        assert_eq!(shards(8, None), 8);
        assert_eq!(shards(8, Some(2.0)), 2);
        assert_eq!(shards(8, Some(1.5)), 2);
        assert_eq!(shards(8, Some(0.1)), 1);
        assert_eq!(shards(2, Some(16.0)), 2);
        assert_eq!(shards(0, None), 1);
        assert_eq!(shards(100_000, None), THREADS_MAX);
    }

    #[test]
    fn threads_and_files_bound_the_shards_that_nobody_asked_for() {
        assert_eq!(bounded(64, None, None), 64);
        // A container with --pids-limit 50; the process itself is one of them.
        assert_eq!(bounded(64, Some(49), None), 24);
        assert_eq!(bounded(64, Some(2), None), 1);
        assert_eq!(bounded(64, None, Some(1024)), 25);
        assert_eq!(bounded(64, Some(1000), Some(1_048_576)), 64);
        assert_eq!(bounded(2, Some(49), Some(1024)), 2);
        assert_eq!(bounded(64, Some(0), Some(0)), 1);
    }

    #[test]
    fn the_default_is_what_this_process_may_use() {
        let cpus = allowed();
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        assert!(!cpus.is_empty() && cpus.is_sorted());
        // The standard library rounds quotas down.
        let shards = shards_for(cpus.len());
        assert!(
            (parallelism..=parallelism + 1).contains(&shards),
            "{shards}"
        );
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(parse_list("3"), Some(vec![3]));
        assert_eq!(parse_list("0-2,8,4-5"), Some(vec![0, 1, 2, 8, 4, 5]));
        for bad in ["", "a", "1,", "3-1", "1,1", "0-2,2", "-1", "0-65535", "1 2"] {
            assert_eq!(parse_list(bad), None, "{bad}");
        }
    }
}

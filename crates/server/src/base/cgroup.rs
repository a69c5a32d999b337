//! The CPU time, threads and memory that the control groups of this process allow, in version 2 and in version 1.
//!
//! ```text
//!   /proc/self/cgroup   0::/a/b              --> /sys/fs/cgroup/a/b, /sys/fs/cgroup/a, /sys/fs/cgroup        version 2
//!                       4:cpu,cpuacct:/a/b   --> /sys/fs/cgroup/cpu,cpuacct/a/b, ...   or   cpu/a/b, ...     version 1
//! ```
//!
//! A group is also bounded by the groups above it, so the least limit counts. In a container, the path may be the
//! host's, which is not visible there: the root of the mount, which is looked at last, is then the container's own
//! group.

use std::path::Path;

/// Reads a file of `/proc` or `/sys`; `None` if it is not there.
pub(crate) type Reader<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Number of CPUs whose time the process may use, if that is limited.
pub(crate) fn cpus(read: Reader<'_>) -> Option<f64> {
    let two = groups(read, "").filter_map(|group| {
        let text = read(&format!("{group}/cpu.max"))?;
        // "max" is no number and means no limit.
        let (quota, period) = text.trim().split_once(' ')?;
        ratio(quota, period)
    });
    let one = groups(read, "cpu").filter_map(|group| {
        // -1 means no limit.
        let quota = read(&format!("{group}/cpu.cfs_quota_us"))?;
        let period = read(&format!("{group}/cpu.cfs_period_us"))?;
        ratio(&quota, &period)
    });
    two.chain(one).reduce(f64::min)
}

/// Number of threads that this process may start, if that is limited.
pub(crate) fn tasks(read: Reader<'_>) -> Option<u64> {
    let groups = groups(read, "").chain(groups(read, "pids"));
    let rooms = groups.filter_map(|group| {
        let number = |name: &str| read(&format!("{group}/{name}"))?.trim().parse::<u64>().ok();
        // "max" is no number and means no limit.
        Some(number("pids.max")?.saturating_sub(number("pids.current")?))
    });
    rooms.min()
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let quota: u32 = quota.trim().parse().ok()?;
    let period: u32 = period.trim().parse().ok()?;
    (period > 0).then(|| f64::from(quota) / f64::from(period))
}

/// Memory that a limit leaves, and where the limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Bytes that are left, including the caches that can be dropped.
    pub(crate) bytes: u64,
    /// The file that sets the limit.
    pub(crate) limit: &'static str,
}

/// The memory that is left, if it is limited.
pub(crate) fn memory(read: Reader<'_>) -> Option<Room> {
    const TWO: [&str; 3] = ["memory.max", "memory.current", "file"];
    const ONE: [&str; 3] = [
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_cache",
    ];
    let two = groups(read, "").filter_map(|group| room(&group, TWO, read));
    let one = groups(read, "memory").filter_map(|group| room(&group, ONE, read));
    two.chain(one).min_by_key(|room| room.bytes)
}

fn room(group: &str, names: [&'static str; 3], read: Reader<'_>) -> Option<Room> {
    let [limit, usage, cache] = names;
    let number = |name: &str| read(&format!("{group}/{name}"))?.trim().parse::<u64>().ok();
    let (most, used) = (number(limit)?, number(usage)?);
    let stat = read(&format!("{group}/memory.stat")).unwrap_or_default();
    let line = stat
        .lines()
        .find_map(|line| line.strip_prefix(cache)?.strip_prefix(' '));
    let cached: u64 = line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    let bytes = most.saturating_sub(used.saturating_sub(cached));
    Some(Room { bytes, limit })
}

/// The directories of this process's group and of the groups above it; `controller` names one of version 1, and is
/// empty for version 2.
fn groups(read: Reader<'_>, controller: &str) -> impl Iterator<Item = String> + use<> {
    let text = read("/proc/self/cgroup").unwrap_or_default();
    let mut directories = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let mounts: &[&str] = match controller {
            "" if controllers.is_empty() => &["", "/unified"],
            "" => continue,
            _ if controllers.split(',').any(|it| it == controller) => {
                &[&format!("/{controllers}"), &format!("/{controller}")]
            }
            _ => continue,
        };
        for group in Path::new(path).ancestors() {
            let group = group.to_string_lossy();
            let group = group.trim_end_matches('/');
            directories.extend(
                mounts
                    .iter()
                    .map(|mount| format!("/sys/fs/cgroup{mount}{group}")),
            );
        }
    }
    directories.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files<'a>(files: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |path| {
            let found = files.iter().find(|(name, _)| *name == path);
            found.map(|(_, text)| (*text).to_owned())
        }
    }

    #[test]
    fn version_2_is_bounded_by_the_groups_above() {
        let machine = files(&[
            ("/proc/self/cgroup", "1:name=systemd:/\n0::/a/b\n"),
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/cpu.max", "400000 100000\n"),
            ("/sys/fs/cgroup/a/b/memory.max", "2147483648\n"),
            ("/sys/fs/cgroup/a/b/memory.current", "1073741824\n"),
            (
                "/sys/fs/cgroup/a/b/memory.stat",
                "anon 1\nfile 536870912\nfile_mapped 7\n",
            ),
            ("/sys/fs/cgroup/a/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/b/pids.max", "max\n"),
            ("/sys/fs/cgroup/a/b/pids.current", "1\n"),
            ("/sys/fs/cgroup/a/pids.max", "100\n"),
            ("/sys/fs/cgroup/a/pids.current", "30\n"),
        ]);
        assert_eq!(tasks(&machine), Some(70));
        assert_eq!(cpus(&machine), Some(1.5));
        let expected = Room {
            bytes: (1 << 30) + (512 << 20),
            limit: "memory.max",
        };
        assert_eq!(memory(&machine), Some(expected));
    }

    #[test]
    fn version_1_has_a_mount_for_each_controller() {
        let machine = files(&[
            (
                "/proc/self/cgroup",
                "9:memory:/docker/x\n8:pids:/docker/x\n4:cpu,cpuacct:/docker/x\n",
            ),
            ("/sys/fs/cgroup/pids/pids.max", "20\n"),
            ("/sys/fs/cgroup/pids/pids.current", "1\n"),
            // In a container, the host's path is not visible.
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n"),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "52428800\n"),
            (
                "/sys/fs/cgroup/memory/memory.stat",
                "cache 1\ntotal_cache 10485760\n",
            ),
        ]);
        assert_eq!(cpus(&machine), Some(0.5));
        assert_eq!(tasks(&machine), Some(19));
        let expected = Room {
            bytes: 60 << 20,
            limit: "memory.limit_in_bytes",
        };
        assert_eq!(memory(&machine), Some(expected));
    }

    #[test]
    fn no_limit_is_none() {
        let machine = files(&[
            ("/proc/self/cgroup", "4:cpu,cpuacct:/\n0::/\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu.max", "max 100000\n"),
        ]);
        assert_eq!(cpus(&machine), None);
        assert_eq!(memory(&machine), None);
        assert_eq!(tasks(&machine), None);
        assert_eq!(cpus(&|_| None), None);
    }
}

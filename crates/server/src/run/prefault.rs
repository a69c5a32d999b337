//! `-o prefault`: memory that is mapped before the server is ready.
//!
//! Each shard populates its part of `-m` on its own thread, so that the memory comes from that thread's NUMA node.
//! Whether there is that much is checked before: a process that populates more than the machine or its cgroup has gets
//! no error, but is killed.

use std::fs;

use corecached_engine::Engine;
use corecached_mesh::Loanable;

use crate::base::cgroup::{self, Reader};
use crate::base::config::Config;
use crate::error::StartError;
use crate::process;
use crate::shared::Shared;

/// Fewest bytes that the kernel needs besides: page tables, sockets, this process itself.
const MARGIN_BYTES: u64 = 32 << 20;

/// Refuses a `-m` with which the process would be killed.
///
/// # Errors
/// If less memory is available than `-m` asks for.
pub(crate) fn check(shared: &Shared) -> Result<(), StartError> {
    if !shared.globals.config.prefault {
        return Ok(());
    }
    let cores = shared.cores.iter().filter_map(Loanable::try_borrow);
    let held: u64 = cores.map(|core| core.engine.stats().charged_bytes).sum();
    let wanted = shared
        .globals
        .config
        .memory_limit_bytes
        .saturating_sub(held);
    refuse_more_than_available(wanted, &|path| fs::read_to_string(path).ok())
}

/// Populates a shard's part, on its thread; stops once a signal has come that ends the server.
///
/// # Errors
/// If there is no memory.
pub(crate) fn populate(config: &Config, engine: &mut Engine) -> Result<(), StartError> {
    if !config.prefault {
        return Ok(());
    }
    let part = config.memory_limit_bytes / config.threads as u64;
    engine.prefault(part, process::is_to_end).map_err(|error| {
        let file = if config.memory_file.is_some() {
            ", or room on the file system of -e"
        } else {
            ""
        };
        StartError::System(format!(
            "-o prefault: {} MiB cannot be populated ({error}): lower -m, free memory{file}, or start without prefault",
            part >> 20
        ))
    })
}

fn refuse_more_than_available(wanted: u64, read: Reader<'_>) -> Result<(), StartError> {
    let refuse = |available: u64, whose: &str, advice: &str| {
        Err(StartError::System(format!(
            "-o prefault: -m asks for {} MiB more, but {whose} has {} MiB left: lower -m, {advice}, or start without prefault",
            wanted >> 20,
            available >> 20
        )))
    };
    let needed = wanted.saturating_add(MARGIN_BYTES);
    if let Some(available) = machine_room(read)
        && available < needed
    {
        return refuse(available, "the machine", "free memory");
    }
    match cgroup::memory(read) {
        Some(room) if room.bytes < needed => {
            let limit = room.limit;
            let advice =
                format!("raise its {limit} (MemoryMax= of the unit, --memory of the container)");
            refuse(room.bytes, "the process's cgroup", &advice)
        }
        _ => Ok(()),
    }
}

/// `MemAvailable`, in bytes, which includes caches that can be dropped.
fn machine_room(read: Reader<'_>) -> Option<u64> {
    let text = read("/proc/meminfo")?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(path: &str) -> Option<String> {
        let text = match path {
            "/proc/meminfo" => "MemTotal:  9000000 kB\nMemAvailable:    4194304 kB\n",
            "/proc/self/cgroup" => "1:name=systemd:/\n0::/system.slice/cache.service\n",
            "/sys/fs/cgroup/system.slice/cache.service/memory.max" => "2147483648\n",
            "/sys/fs/cgroup/system.slice/cache.service/memory.current" => "1073741824\n",
            "/sys/fs/cgroup/system.slice/cache.service/memory.stat" => "anon 1\nfile 536870912\n",
            "/sys/fs/cgroup/system.slice/memory.max" => "max\n",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[test]
    fn what_can_be_had_is_known() {
        assert_eq!(machine_room(&machine), Some(4 << 30));
    }

    #[test]
    fn who_asks_for_too_much_is_told_what_to_do() {
        assert!(refuse_more_than_available(1 << 30, &machine).is_ok());
        assert!(refuse_more_than_available(64 << 40, &|_| None).is_ok());
        let text = |wanted| {
            let refused = refuse_more_than_available(wanted, &machine);
            refused.map_err(|error| error.to_string()).unwrap_err()
        };
        assert!(text(2 << 30).contains("cgroup has 1536 MiB left: lower -m, raise its memory.max"));
        assert!(text(8 << 30).contains("-m asks for 8192 MiB more, but the machine has 4096 MiB"));
    }

    #[test]
    fn the_limit_of_a_group_of_version_1_counts() {
        let machine = |path: &str| {
            let text = match path {
                "/proc/self/cgroup" => "7:memory:/cache\n",
                "/sys/fs/cgroup/memory/cache/memory.limit_in_bytes" => "268435456\n",
                "/sys/fs/cgroup/memory/cache/memory.usage_in_bytes" => "67108864\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        assert!(refuse_more_than_available(128 << 20, &machine).is_ok());
        let refused = refuse_more_than_available(192 << 20, &machine);
        let text = refused.map_err(|error| error.to_string()).unwrap_err();
        assert!(
            text.contains("cgroup has 192 MiB left: lower -m, raise its memory.limit_in_bytes")
        );
    }
}

//! CPU time of the server, and placement of this client.

use std::fs;
use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// CPU time a process has used until now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// All threads, user and system, exact.
    pub(crate) total_ns: u64,
    /// User part in clock ticks of 10 ms; gives the split, too coarse for more.
    pub(crate) user_ticks: u64,
    /// System part in clock ticks of 10 ms.
    pub(crate) system_ticks: u64,
}

impl CpuTime {
    /// Reads the account of `pid`: the sum over its threads, among them the kernel's io_uring
    /// workers of that process, so that no work done on its behalf is left out.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let mut time = Self::default();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path().join("schedstat");
            // A thread may end between the listing and the read.
            let Ok(text) = fs::read_to_string(path) else {
                continue;
            };
            time.total_ns += field(&text, 0)?;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The command name, in parentheses, may hold spaces: fields are counted after it.
        let after_name = stat.rfind(')').map_or("", |end| &stat[end + 1..]);
        time.user_ticks = field(after_name, 11)?;
        time.system_ticks = field(after_name, 12)?;
        Ok(time)
    }

    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_sub(earlier.total_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }

    /// The system part as a share of the whole, 0 to 1.
    pub(crate) fn system_share(&self) -> f64 {
        let ticks = self.user_ticks + self.system_ticks;
        if ticks == 0 {
            return 0.0;
        }
        self.system_ticks as f64 / ticks as f64
    }
}

fn field(text: &str, index: usize) -> io::Result<u64> {
    text.split_ascii_whitespace()
        .nth(index)
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::other("unexpected format under /proc"))
}

/// Restricts this thread to one CPU.
pub(crate) fn pin_this_thread(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)?;
    Ok(())
}

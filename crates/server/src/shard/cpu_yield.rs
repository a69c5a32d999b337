//! When a busy loop lets the other threads of its CPU go first.
//!
//! ```text
//!   CPU 0   shard 0  ...............................  client 0 is ready, and waits
//!   CPU 1   client 1 ...............................  shard 1 is ready, and waits
//!           |<- up to a tick of the kernel: 4 ms ->|
//! ```
//!
//! A thread preempts another one when it is woken, or at a tick of the kernel. So while a shard and a client on another
//! CPU keep each other busy, the threads that were woken before wait for the next tick. A shard that has not left its
//! CPU for [`RUN_NS`] therefore yields. The scheduler goes on with it at once if the others have had more than their
//! share. A yield may cost the shard one slice of its own share, so only shards with short slices do so
//! (`process/slice.rs`). `docs/benchmarks.md` has the effect under "Two shards that share their CPUs".

use std::thread;

use crate::base::clock::Clock;
use crate::process::{self, Slice};

/// Nanoseconds for which a shard runs before it lets others go first.
const RUN_NS: u64 = 300_000;

/// What a shard knows about its time on its CPU.
#[derive(Debug)]
pub(super) struct CpuYield {
    /// Nanoseconds between two looks.
    run_ns: u64,
    /// When the shard last looked, by [`Clock::precise_ns`].
    looked_ns: u64,
    /// How often it had left its CPU by then.
    times_off_cpu: u64,
}

impl CpuYield {
    /// For a shard whose slices are short, or usual: then it never yields.
    pub(super) fn new(slice: Slice) -> CpuYield {
        CpuYield {
            run_ns: match slice {
                Slice::Short => RUN_NS,
                Slice::Usual => u64::MAX,
            },
            looked_ns: 0,
            times_off_cpu: 0,
        }
    }

    /// A turn of the loop begins at `now_ns`, by [`Clock::precise_ns`]: the replies of the last one are out, and what
    /// has come can wait. Lets other threads go first if this one has run for long.
    #[inline]
    pub(super) fn yield_if_due(&mut self, now_ns: u64) {
        if now_ns.wrapping_sub(self.looked_ns) >= self.run_ns {
            self.look(now_ns);
        }
    }

    #[cold]
    fn look(&mut self, now_ns: u64) {
        if self.has_run_on(now_ns, process::times_off_cpu()) {
            thread::yield_now();
            self.has_run_on(Clock::precise_ns(), process::times_off_cpu());
        }
    }

    /// Whether the thread has been on its CPU since the last look.
    fn has_run_on(&mut self, now_ns: u64, times_off_cpu: u64) -> bool {
        self.looked_ns = now_ns;
        std::mem::replace(&mut self.times_off_cpu, times_off_cpu) == times_off_cpu
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_has_not_left_its_cpu_lets_others_go_first() {
        let mut yields = CpuYield::new(Slice::Short);
        assert!(!yields.has_run_on(RUN_NS, 7), "it has left it seven times");
        assert!(yields.has_run_on(2 * RUN_NS, 7));
        assert!(!yields.has_run_on(3 * RUN_NS, 8));
        assert!(yields.has_run_on(4 * RUN_NS, 8));
    }

    #[test]
    fn it_looks_only_now_and_then() {
        let mut yields = CpuYield::new(Slice::Short);
        yields.yield_if_due(RUN_NS);
        let looked = yields.looked_ns;
        assert!(looked >= RUN_NS);
        yields.yield_if_due(looked + RUN_NS - 1);
        assert_eq!(yields.looked_ns, looked);
        yields.yield_if_due(looked + RUN_NS);
        assert!(yields.looked_ns > looked);
    }

    #[test]
    fn with_the_usual_slice_it_never_yields() {
        let mut yields = CpuYield::new(Slice::Usual);
        yields.yield_if_due(u64::MAX - 1);
        assert_eq!((yields.looked_ns, yields.times_off_cpu), (0, 0));
    }

    #[test]
    fn a_thread_that_sleeps_has_left_its_cpu() {
        let before = process::times_off_cpu();
        thread::sleep(Duration::from_millis(2));
        assert!(process::times_off_cpu() > before);
    }
}

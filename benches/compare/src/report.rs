//! What was measured, as one line of `name=value` for scripts.

use std::fmt;

use crate::cpu::CpuTime;

/// The result of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Measured time.
    pub(crate) seconds: f64,
    /// CPU time of the server in it.
    pub(crate) cpu: CpuTime,
    /// Requests completed; a get of many keys is one.
    pub(crate) requests: u64,
    /// Keys asked for and not found.
    pub(crate) misses: u64,
    /// Median time from sending a batch to its last reply, microseconds.
    pub(crate) p50_us: f64,
    /// 99th percentile of the same.
    pub(crate) p99_us: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.max(f64::MIN_POSITIVE);
        let cpu_us = self.cpu.total_ns as f64 / 1000.0;
        let per_request = cpu_us / self.requests.max(1) as f64;
        let system = per_request * self.cpu.system_share();
        write!(
            f,
            "cpu_us_per_request={per_request:.4} user_us={:.4} system_us={system:.4} \
             requests_per_second={:.0} p50_us={:.1} p99_us={:.1} busy_percent={:.3} \
             requests={} misses={}",
            per_request - system,
            self.requests as f64 / seconds,
            self.p50_us,
            self.p99_us,
            cpu_us / seconds / 10_000.0,
            self.requests,
            self.misses,
        )
    }
}

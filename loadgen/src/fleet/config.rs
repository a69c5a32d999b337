//! The client's side of a run, as far as it does not change between phases.

use crate::host::CpuId;
use crate::net::server::Server;
use crate::target::Router;
use crate::wire::protocol::Protocol;
use crate::worker::phase::WaitPolicy;
use crate::workload::Workload;
use std::sync::Arc;

/// Requests outstanding per connection while loading.
pub(super) const LOAD_DEPTH: usize = 32;

/// Workers' numbers fit in a version's low bits.
pub const WORKERS_MAX: usize = 1 << crate::worker::core::WORKER_BITS;

/// Everything about the client's side of a run that does not change between phases.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The servers (for `Router::Shards`, the shard port of the one server).
    pub servers: Vec<Server>,
    /// Which connections the requests for a key go to.
    pub router: Router,
    /// The protocol of all connections.
    pub protocol: Protocol,
    /// Connections in all.
    pub connections: usize,
    /// The CPUs of the workers, one worker on each.
    pub cpus: Vec<CpuId>,
    /// The largest depth any phase will use.
    pub depth_max: usize,
    /// How workers wait.
    pub wait: WaitPolicy,
    /// The workload of the workers.
    pub workload: Arc<Workload>,
}

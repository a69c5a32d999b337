//! The result of `loadgen plan`, as `--json` writes it.

use super::basis::Input;
use serde::Serialize;

/// The result of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct NodePlan {
    /// The numbers that the plan was made from, each with its source.
    pub(super) inputs: Vec<Input>,
    /// Requests per second to plan for, growth included.
    pub(super) peak: f64,
    /// Requests per second that one node serves within the objective.
    pub(super) capacity: f64,
    /// Nodes that would serve the requests if they were spread evenly.
    pub(super) nodes_if_even: u64,
    /// Nodes that must be left for the requests.
    pub(super) nodes_for_requests: u64,
    /// Nodes that must be left for the items, if their number and size are known.
    pub(super) nodes_for_memory: Option<u64>,
    /// Nodes that must be left for the network, if bytes per request are known.
    pub(super) nodes_for_network: Option<u64>,
    /// Nodes that may be lost: single ones or a zone.
    pub(super) losses: u64,
    /// Nodes to run.
    pub(super) nodes: u64,
    /// The share of all requests that go to the most asked-for key.
    pub(super) hottest_key_share: f64,
    /// The busiest node's share of its capacity at the peak, all nodes up.
    pub(super) load_share: f64,
    /// The busiest node's share of its capacity at the peak after the losses, with the sets that then follow the
    /// misses.
    pub(super) load_share_after_losses: f64,
    /// Share of the requests that miss after the losses, until the items are set again.
    pub(super) misses_after_losses: f64,
    /// Memory of the busiest node after losses.
    pub(super) memory_bytes_per_node: Option<f64>,
    /// Bits per second of the busiest node after losses, the busier direction.
    pub(super) network_bits_per_node: Option<f64>,
    /// Share of the requests that read.
    pub(super) read_share: f64,
    /// Things worth knowing.
    pub(super) notes: Vec<String>,
}

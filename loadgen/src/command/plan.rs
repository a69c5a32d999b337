//! `loadgen plan`: from a node's capacity to a number of nodes.
//!
//! Each of three resources gives a number of nodes that must be left when the allowed losses have happened:
//!
//! ```text
//! requests   peak * (1 + growth) / (capacity * (1 - headroom))
//! memory     items * (item bytes + overhead) / node memory
//! network    peak * (1 + growth) * bytes per request * 8 / (node network * (1 - headroom))
//! ```
//!
//! The largest decides; the losses come on top.

use super::write_file;
use crate::cli::commands::PlanCommand;
use crate::error::{Exit, LoadError, Result};
use crate::report::model::{Body, Report};
use crate::report::text::line;
use crate::units::{format_bytes, format_count, format_share};
use serde::Serialize;

/// What a plan comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodePlan {
    /// Requests per second to plan for.
    pub peak: f64,
    /// Requests per second that one node serves within the objective.
    pub capacity: f64,
    /// Nodes needed for the requests, without losses.
    pub nodes_for_requests: u64,
    /// Nodes needed for the items, if their number and size are known.
    pub nodes_for_memory: Option<u64>,
    /// Nodes needed for the network, if bytes per request are known.
    pub nodes_for_network: Option<u64>,
    /// Nodes that may be lost.
    pub losses: u64,
    /// Nodes to run.
    pub nodes: u64,
    /// Share of a node's capacity used at the peak, all nodes up.
    pub load_share: f64,
    /// The same with the losses.
    pub load_share_after_losses: f64,
    /// Memory per node for the items.
    pub memory_bytes_per_node: Option<f64>,
    /// Bits per second per node after losses, the busier direction.
    pub network_bits_per_node: Option<f64>,
}

/// What is planned from.
#[derive(Debug, Clone, Copy, Default)]
struct Basis {
    capacity: f64,
    bytes_per_request: Option<f64>,
    item_bytes: Option<f64>,
}

/// Runs the command.
pub fn execute(options: &PlanCommand) -> Result<Exit> {
    let basis = basis(options)?;
    let plan = plan(options, &basis)?;
    print!("{}", text(&plan, options));
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&plan)
            .map_err(|error| LoadError::new(Exit::Failed, format!("writing JSON: {error}")))?;
        write_file(path, json)?;
    }
    Ok(Exit::Ok)
}

fn basis(options: &PlanCommand) -> Result<Basis> {
    let mut basis = match &options.from {
        None => Basis::default(),
        Some(path) => {
            let json = std::fs::read_to_string(path).map_err(|error| {
                LoadError::failed(&format!("reading {}", path.display()), &error)
            })?;
            from_report(&json)
                .map_err(|why| LoadError::usage(format!("{}: {why}", path.display())))?
        }
    };
    if let Some(capacity) = options.capacity {
        basis.capacity = capacity;
    }
    if let Some(bytes) = options.item_bytes {
        basis.item_bytes = Some((bytes + options.item_overhead) as f64);
    }
    Ok(basis)
}

fn from_report(json: &str) -> std::result::Result<Basis, String> {
    let report: Report = serde_json::from_str(json)
        .map_err(|error| format!("not a report of loadgen search ({error})"))?;
    let Body::Search { search } = report.body else {
        return Err("a report of another command: plan needs one of loadgen search".to_owned());
    };
    let (sent, received) = search.bytes_per_request;
    Ok(Basis {
        capacity: search.capacity.ok_or("the search found no capacity")?,
        bytes_per_request: Some(sent.max(received)),
        item_bytes: search.item_bytes,
    })
}

fn plan(options: &PlanCommand, basis: &Basis) -> Result<NodePlan> {
    if basis.capacity <= 0.0 || !(0.0..1.0).contains(&options.headroom) {
        return Err(LoadError::usage(
            "the capacity must be above 0 and the headroom below 100%",
        ));
    }
    let peak = options.peak * (1.0 + options.growth);
    let usable = 1.0 - options.headroom;
    let nodes_for = |need: f64, each: f64| (need / each).ceil().max(1.0) as u64;
    let memory = options
        .items
        .zip(basis.item_bytes)
        .map(|(items, bytes)| items as f64 * bytes);
    let network = basis.bytes_per_request.map(|bytes| peak * bytes * 8.0);
    let nodes_for_requests = nodes_for(peak, basis.capacity * usable);
    let nodes_for_memory = memory
        .zip(options.node_memory)
        .map(|(bytes, each)| nodes_for(bytes, each as f64));
    let nodes_for_network = network.map(|bits| nodes_for(bits, options.node_network * usable));
    let needed = nodes_for_requests
        .max(nodes_for_memory.unwrap_or(1))
        .max(nodes_for_network.unwrap_or(1));
    let losses = u64::from(options.losses);
    let nodes = needed + losses;
    Ok(NodePlan {
        peak,
        capacity: basis.capacity,
        nodes_for_requests,
        nodes_for_memory,
        nodes_for_network,
        losses,
        nodes,
        load_share: peak / (basis.capacity * nodes as f64),
        load_share_after_losses: peak / (basis.capacity * needed as f64),
        memory_bytes_per_node: memory.map(|bytes| bytes / needed as f64),
        network_bits_per_node: network.map(|bits| bits / needed as f64),
    })
}

fn text(plan: &NodePlan, options: &PlanCommand) -> String {
    let mut out = String::new();
    line!(
        out,
        "peak {}/s, a node serves {}/s, {} of it stays unused",
        format_count(plan.peak),
        format_count(plan.capacity),
        format_share(options.headroom)
    );
    line!(out, "  requests need {} nodes", plan.nodes_for_requests);
    match (plan.nodes_for_memory, plan.memory_bytes_per_node) {
        (Some(nodes), _) => line!(out, "  memory needs {nodes} nodes"),
        (None, Some(bytes)) => line!(
            out,
            "  memory: {} per node, plus connections (--node-memory makes it count)",
            format_bytes(bytes)
        ),
        _ => line!(
            out,
            "  memory: not counted (--items and --item-bytes, or --from a search)"
        ),
    }
    match (plan.nodes_for_network, plan.network_bits_per_node) {
        (Some(nodes), Some(bits)) => line!(
            out,
            "  network needs {nodes} nodes ({}bit/s per node)",
            format_count(bits)
        ),
        _ => line!(
            out,
            "  network: not counted (--from a search knows the bytes per request)"
        ),
    }
    line!(out);
    line!(
        out,
        "{} nodes: each at {} of its capacity at the peak, {} after the loss of {}",
        plan.nodes,
        format_share(plan.load_share),
        format_share(plan.load_share_after_losses),
        plan.losses
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::cli::commands::Command;
    use clap::Parser;

    fn planned(arguments: &str) -> NodePlan {
        let cli = Cli::parse_from(["loadgen", "plan"].into_iter().chain(arguments.split(' ')));
        let Command::Plan(options) = cli.command else {
            panic!("plan was asked for");
        };
        plan(&options, &basis(&options).unwrap()).unwrap()
    }

    #[test]
    fn the_busiest_resource_decides_and_losses_come_on_top() {
        let plan = planned("--peak 5M --capacity 1M --headroom 30%");
        assert_eq!((plan.nodes_for_requests, plan.nodes), (8, 9));
        assert!(plan.load_share_after_losses <= 0.7);
        let plan = planned(
            "--peak 1M --capacity 1M --items 1G --item-bytes 240 --node-memory 64g --losses 2",
        );
        assert_eq!(
            (plan.nodes_for_requests, plan.nodes_for_memory, plan.nodes),
            (2, Some(5), 7)
        );
    }
}

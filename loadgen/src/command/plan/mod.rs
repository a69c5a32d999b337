//! `loadgen plan`: from a node's capacity to a number of nodes.
//!
//! Each of three resources gives a number of nodes that must be left when the allowed losses have happened:
//!
//! ```text
//! requests   busiest node's share * peak * (1 + growth) * (1 + sets after misses) <= capacity * (1 - headroom)
//! memory     busiest node's share * items * bytes + connections * bytes           <= memory * (1 - headroom)
//! network    busiest node's share * peak * (1 + growth) * bytes * 8               <= network * (1 - headroom)
//! ```
//!
//! The busiest node has more than an equal share: servers own unequal arcs of the hash ring, and single keys are asked
//! for more often than others ([`crate::stats::skew`]). The largest number decides; the losses come on top.

mod basis;
mod node_plan;
mod text;

use super::outputs::write_file;
use crate::cli::commands::PlanCommand;
use crate::error::{Exit, LoadError, Result};
use crate::stats::skew::{Busiest, busiest, heavy_shares};
use crate::units::format_count;
use basis::Basis;
use node_plan::NodePlan;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// More nodes than this are not planned.
const NODES_MAX: usize = 2_000;

/// Runs the command.
pub fn execute(options: &PlanCommand) -> Result<Exit> {
    let basis = basis::basis(options)?;
    let plan = plan(options, &basis)?;
    print!("{}", text::render(&plan, options));
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&plan)
            .map_err(|error| LoadError::new(Exit::Failed, format!("writing JSON: {error}")))?;
        write_file(path, json)?;
    }
    Ok(Exit::Ok)
}

/// The demand on the busiest of some nodes.
struct Demand<'a> {
    options: &'a PlanCommand,
    basis: &'a Basis,
    /// Requests per second that reach the nodes.
    rate: f64,
    /// Shares of the heaviest keys that reach the nodes.
    heavy: Vec<f64>,
    /// Rings that have been looked at, by their number of nodes.
    rings: RefCell<BTreeMap<usize, Busiest>>,
}

impl Demand<'_> {
    /// Nodes lost of `nodes` in all.
    fn losses(&self, nodes: usize) -> usize {
        let zones = self.options.zones as usize;
        let zone = if zones > 1 { nodes.div_ceil(zones) } else { 0 };
        zone.max(self.options.losses as usize)
    }

    fn busiest(&self, nodes: usize) -> Busiest {
        let mut rings = self.rings.borrow_mut();
        *rings
            .entry(nodes)
            .or_insert_with(|| busiest(nodes, &self.heavy))
    }

    /// Requests per second of the busiest of `left` nodes when `lost` nodes are gone: the items of the lost nodes miss,
    /// and are set again.
    fn requests(&self, left: usize, lost: usize) -> f64 {
        let misses = lost as f64 / (left + lost) as f64;
        let sets_after_misses = misses * self.basis.read_share;
        self.rate * self.busiest(left).requests * (1.0 + sets_after_misses)
    }

    fn memory(&self, left: usize) -> Option<f64> {
        let items = self.basis.item_bytes.as_ref()?.value * self.options.items? as f64;
        let connections =
            self.options.connections.unwrap_or(0) as f64 * self.options.connection_bytes as f64;
        Some(items * self.busiest(left).items + connections)
    }

    fn network(&self, left: usize) -> Option<f64> {
        Some(
            self.rate
                * self.busiest(left).requests
                * self.basis.request_bytes.as_ref()?.value
                * 8.0,
        )
    }

    fn usable_capacity(&self) -> f64 {
        self.basis.capacity * (1.0 - self.options.headroom)
    }

    fn usable_memory(&self) -> Option<f64> {
        Some(self.options.node_memory? as f64 * (1.0 - self.options.memory_headroom))
    }

    fn usable_network(&self) -> f64 {
        self.basis.node_network * (1.0 - self.options.headroom)
    }

    /// The fewest nodes that must be left so that `fits` holds for them: not fewer than would do if they were all
    /// alike.
    fn fewest(&self, if_even: f64, fits: impl Fn(usize) -> bool) -> Option<usize> {
        if if_even > NODES_MAX as f64 {
            return None;
        }
        let mut high = (if_even.ceil() as usize).max(1);
        let mut low = high - 1;
        while !fits(high) {
            if high >= NODES_MAX {
                return None;
            }
            (low, high) = (high, (high + high / 4 + 1).min(NODES_MAX));
        }
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if fits(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    /// Nodes in all so that `left` are left after the losses.
    fn with_losses(&self, left: usize) -> usize {
        (left..)
            .find(|&nodes| nodes >= left + self.losses(nodes))
            .unwrap_or(left)
    }
}

fn plan(options: &PlanCommand, basis: &Basis) -> Result<NodePlan> {
    let peak = options.peak * (1.0 + options.growth);
    let all_heavy = heavy_shares(basis.key_distribution, basis.keys);
    let demand = demand(options, basis, peak, &all_heavy)?;
    hottest_fits(&demand, &all_heavy, peak)?;
    let needs = needs(&demand)?;
    let left = needs
        .requests
        .max(needs.memory.unwrap_or(1))
        .max(needs.network.unwrap_or(1));
    let nodes = demand.with_losses(left);
    let lost = nodes - left;
    let even = demand.rate / demand.usable_capacity();
    Ok(NodePlan {
        inputs: basis.inputs.clone(),
        peak,
        capacity: basis.capacity,
        nodes_if_even: even.ceil().max(1.0) as u64,
        nodes_for_requests: needs.requests as u64,
        nodes_for_memory: needs.memory.map(|nodes| nodes as u64),
        nodes_for_network: needs.network.map(|nodes| nodes as u64),
        losses: lost as u64,
        nodes: nodes as u64,
        hottest_key_share: all_heavy
            .first()
            .copied()
            .unwrap_or(1.0 / basis.keys.max(1) as f64),
        load_share: demand.requests(nodes, 0) / basis.capacity,
        load_share_after_losses: demand.requests(left, lost) / basis.capacity,
        misses_after_losses: lost as f64 / nodes as f64,
        memory_bytes_per_node: demand.memory(left),
        network_bits_per_node: demand.network(left),
        read_share: basis.read_share,
        notes: basis.notes.clone(),
    })
}

/// The demand that reaches the nodes when the hottest keys are served elsewhere.
fn demand<'a>(
    options: &'a PlanCommand,
    basis: &'a Basis,
    peak: f64,
    all_heavy: &[f64],
) -> Result<Demand<'a>> {
    let kept_away = usize::try_from(options.without_hottest)
        .unwrap_or(usize::MAX)
        .min(all_heavy.len());
    let away: f64 = all_heavy[..kept_away].iter().sum();
    let rest = 1.0 - away;
    if rest <= 1e-9 {
        return Err(LoadError::usage(
            "--without-hottest leaves no requests for the nodes",
        ));
    }
    Ok(Demand {
        options,
        basis,
        rate: peak * rest,
        heavy: all_heavy[kept_away..]
            .iter()
            .map(|share| share / rest)
            .collect(),
        rings: RefCell::default(),
    })
}

/// The nodes that must be left, by resource.
struct Needs {
    requests: usize,
    memory: Option<usize>,
    network: Option<usize>,
}

fn needs(demand: &Demand<'_>) -> Result<Needs> {
    let enough = |what: &str, nodes: Option<usize>| {
        nodes.ok_or_else(|| {
            let why = format!("{what} would need more than {NODES_MAX} nodes");
            LoadError::new(Exit::SloMissed, why)
        })
    };
    let lost_beside = |left: usize| demand.with_losses(left) - left;
    let capacity = demand.usable_capacity();
    let requests = demand.fewest(demand.rate / capacity, |left| {
        demand.requests(left, lost_beside(left)) <= capacity
    });
    let memory = demand.usable_memory().zip(demand.memory(1));
    let memory = memory.map(|(usable, all)| {
        let fits = |left| demand.memory(left).is_some_and(|bytes| bytes <= usable);
        demand.fewest(all / usable, fits)
    });
    let usable = demand.usable_network();
    let network = demand.network(1).map(|all| {
        let fits = |left| demand.network(left).is_some_and(|bits| bits <= usable);
        demand.fewest(all / usable, fits)
    });
    Ok(Needs {
        requests: enough("the requests", requests)?,
        memory: memory.map(|nodes| enough("the items", nodes)).transpose()?,
        network: network
            .map(|nodes| enough("the network", nodes))
            .transpose()?,
    })
}

/// One key is on one node, however many there are.
fn hottest_fits(demand: &Demand<'_>, all: &[f64], peak: f64) -> Result<()> {
    let fits = |share: &f64| share * peak <= demand.usable_capacity();
    let first = demand.options.without_hottest as usize;
    let Some(hottest) = all.get(first).filter(|share| !fits(share)) else {
        return Ok(());
    };
    let enough = all.iter().position(fits).unwrap_or(all.len());
    Err(LoadError::new(
        Exit::SloMissed,
        format!(
            "no number of nodes is enough: the most asked-for key alone is {:.1}% of all requests, {}/s at the peak, and a node may serve {}/s; \
             let clients keep the {enough} hottest keys for a moment, or serve them from several nodes, and plan the rest with --without-hottest {enough}",
            hottest * 100.0,
            format_count(hottest * peak),
            format_count(demand.usable_capacity())
        ),
    ))
}

#[cfg(test)]
mod tests;

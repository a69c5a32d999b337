//! A plan on the terminal: inputs, what each resource needs, what a loss does.

use super::node_plan::NodePlan;
use crate::cli::commands::PlanCommand;
use crate::report::text::{line, notes};
use crate::units::{format_bytes, format_count, format_share};

/// The plan as text.
pub(super) fn render(plan: &NodePlan, options: &PlanCommand) -> String {
    let mut out = String::new();
    line!(out, "{:<20} {:<33} from", "planned with", "");
    for input in &plan.inputs {
        line!(
            out,
            "  {:<18} {:<33} {}",
            input.name,
            input.value,
            input.source
        );
    }
    line!(out);
    requests(plan, &mut out);
    memory(plan, &mut out);
    network(plan, &mut out);
    line!(out);
    line!(
        out,
        "{} nodes: the busiest at {} of its capacity at the peak, {} after the loss of {}",
        plan.nodes,
        format_share(plan.load_share),
        format_share(plan.load_share_after_losses),
        plan.losses
    );
    if plan.losses > 0 {
        line!(
            out,
            "after the loss {} of all gets miss until their items are set again: {}/s more for what is behind the cache at the peak",
            format_share(plan.misses_after_losses),
            format_count(plan.misses_after_losses * plan.peak * plan.read_share)
        );
    }
    if options.without_hottest > 0 {
        line!(
            out,
            "the {} most asked-for keys are served elsewhere",
            options.without_hottest
        );
    }
    notes(&plan.notes, &mut out);
    out
}

fn requests(plan: &NodePlan, out: &mut String) {
    line!(
        out,
        "requests need {} nodes left ({} if they were spread evenly, {} nodes with the losses); the hottest key is {} of all requests, {}/s",
        plan.nodes_for_requests,
        plan.nodes_if_even,
        plan.nodes_if_even + plan.losses,
        format_share(plan.hottest_key_share),
        format_count(plan.hottest_key_share * plan.peak)
    );
}

fn memory(plan: &NodePlan, out: &mut String) {
    match (plan.nodes_for_memory, plan.memory_bytes_per_node) {
        (Some(nodes), Some(bytes)) => line!(
            out,
            "memory needs {nodes} nodes left ({} on the fullest of the plan's)",
            format_bytes(bytes)
        ),
        (_, Some(bytes)) => line!(
            out,
            "memory: {} on the fullest node (--node-memory makes it count)",
            format_bytes(bytes)
        ),
        _ => line!(
            out,
            "memory: not counted (--items with --item-bytes, or --from a search)"
        ),
    }
}

fn network(plan: &NodePlan, out: &mut String) {
    match (plan.nodes_for_network, plan.network_bits_per_node) {
        (Some(nodes), Some(bits)) => line!(
            out,
            "network needs {nodes} nodes left ({}bit/s on the busiest of the plan's)",
            format_count(bits)
        ),
        _ => line!(
            out,
            "network: not counted (--request-bytes, --item-bytes or --from a search)"
        ),
    }
}

use super::*;
use crate::cli::Cli;
use crate::cli::commands::Command;
use crate::report::model::LimitedBy;
use clap::Parser;
use serde_json::{Value, json};
use std::path::PathBuf;

fn try_plan(arguments: &str) -> Result<(NodePlan, String)> {
    let cli = Cli::parse_from(["loadgen", "plan"].into_iter().chain(arguments.split(' ')));
    let Command::Plan(options) = cli.command else {
        panic!("plan was asked for");
    };
    let plan = plan(&options, &basis::basis(&options)?)?;
    let text = text::render(&plan, &options);
    Ok((plan, text))
}

fn planned(arguments: &str) -> NodePlan {
    try_plan(arguments).unwrap().0
}

fn refused(arguments: &str) -> String {
    try_plan(arguments).unwrap_err().to_string()
}

#[test]
fn the_busiest_resource_decides_and_losses_come_on_top() {
    let plan = planned("--peak 5M --capacity 1M --headroom 30%");
    assert_eq!(plan.nodes_if_even, 8);
    // The ring alone costs more than one node of eight, and the sets after a loss come on top.
    assert!((9..13).contains(&plan.nodes_for_requests), "{plan:?}");
    assert_eq!(plan.nodes, plan.nodes_for_requests + 1);
    assert!(plan.load_share_after_losses <= 0.7 && plan.load_share < plan.load_share_after_losses);
    let plan =
        planned("--peak 1M --capacity 1M --items 1G --item-bytes 240 --node-memory 64g --losses 2");
    let memory = plan.nodes_for_memory.unwrap();
    assert!(memory > 5 && plan.nodes == memory + 2, "{plan:?}");
    assert!(plan.memory_bytes_per_node.unwrap() <= 0.9 * 64.0 * 1024f64.powi(3));
}

#[test]
fn a_hot_key_needs_more_nodes_or_no_number_is_enough() {
    let spread = planned("--peak 1M --capacity 200k --items 2G --key-dist uniform");
    let skewed = planned("--peak 1M --capacity 200k --items 2G --key-dist zipf:0.99");
    assert!(skewed.nodes > spread.nodes, "{skewed:?}");
    assert!((skewed.hottest_key_share - 0.0409).abs() < 0.0001);
    let why = refused("--peak 5M --capacity 154k --items 2G --key-dist zipf:0.99");
    assert!(
        why.contains("4.1% of all requests, 204 k/s") && why.contains("--without-hottest"),
        "{why}"
    );
    let advised = why.rsplit(' ').next().unwrap();
    let rest = planned(&format!(
        "--peak 5M --capacity 154k --items 2G --key-dist zipf:0.99 --without-hottest {advised}"
    ));
    assert!(rest.load_share_after_losses <= 0.7, "{rest:?}");
}

#[test]
fn a_zone_may_be_lost() {
    let plan = planned("--peak 5M --capacity 1M --zones 3");
    assert!(
        plan.losses >= plan.nodes.div_ceil(3)
            && plan.nodes - plan.losses >= plan.nodes_for_requests
    );
    assert!(
        plan.misses_after_losses > 0.3 && plan.load_share_after_losses <= 0.7,
        "{plan:?}"
    );
    let none = planned("--peak 5M --capacity 1M --losses 0");
    assert_eq!((none.losses, none.misses_after_losses), (0, 0.0));
}

#[test]
fn the_network_counts_without_a_report() {
    let plan = planned("--peak 5M --capacity 1M --node-network 1G --request-bytes 1000");
    // 5 M/s of 1,090 bytes are 43.6 Gbit/s, at 0.7 Gbit/s usable.
    assert!(
        plan.nodes_for_network.unwrap() >= 63 && plan.nodes > 63,
        "{plan:?}"
    );
    assert!(
        planned("--peak 1M --capacity 1M --node-network 1G --item-bytes 500")
            .nodes_for_network
            .is_some()
    );
    let why = refused("--peak 5M --capacity 1M --node-network 1G");
    assert!(why.contains("--request-bytes"), "{why}");
}

#[test]
fn every_input_has_a_source() {
    let (plan, text) = try_plan(
        "--peak 5M --capacity 1M --connections 5k --item-bytes 100 --items 1M --node-memory 8g",
    )
    .unwrap();
    for (name, source) in [
        ("peak", "--peak"),
        ("capacity of a node", "--capacity"),
        ("key distribution", "assumed"),
        ("connections", "--connections"),
        ("network of a node", "assumed"),
    ] {
        let input = plan.inputs.iter().find(|input| input.name == name).unwrap();
        assert!(input.source.contains(source), "{input:?}");
    }
    assert!(text.contains("skew is not counted"), "{text}");
}

/// The report of a search, with some fields changed.
fn report(name: &str, changes: &[(&str, Value)]) -> PathBuf {
    let mut search = json!({
        "slo": "p99 < 1.00 ms", "capacity": 1_000_000.0, "capacity_low": 980_000.0,
        "capacity_high": 1_020_000.0, "settled": true, "limited_by": "server_cpu", "limit": "CPU",
        "notes": [], "probes": [], "best": null, "bytes_per_request": [50.0, 150.0],
        "items": 1_000_000, "item_bytes": 160.0, "resident_bytes_per_item": 200.0, "violations": {},
    });
    for (field, value) in changes {
        search[*field] = value.clone();
    }
    let report = json!({
        "schema_version": 1, "headline": "", "command": "search", "search": search,
        "context": {"command_line": "", "version": "", "kernel": "", "cpu": "", "started_unix_s": 0,
            "servers": [], "protocol": "text", "connections": 50, "worker_cpus": [1], "wait": "hybrid",
            "routing": "single"},
        "workload": {"mix": "get=90,set=10", "keys": 1_000_000, "key_distribution": "zipf:0.8",
            "key_bytes": 24, "value_size": "100", "value_bytes_mean": 100.0, "ttl": "0",
            "look_aside": false, "verify": true, "seed": 1},
    });
    let path = std::env::temp_dir().join(format!("loadgen-plan-{}-{name}", std::process::id()));
    std::fs::write(&path, report.to_string()).unwrap();
    path
}

#[test]
fn a_search_is_planned_with_the_lower_end_and_resident_memory() {
    let path = report("good", &[]);
    let arguments = format!(
        "--peak 5M --items 1G --node-memory 64g --from {}",
        path.display()
    );
    let (plan, text) = try_plan(&arguments).unwrap();
    assert!((plan.capacity - 980_000.0).abs() < 1.0);
    assert!(text.contains("95% interval 980 k .. 1.02 M"), "{text}");
    // 200 bytes resident, not the 160 that the server counts.
    assert!(plan.memory_bytes_per_node.unwrap() * (plan.nodes - plan.losses) as f64 > 200e9);
    assert!(
        text.contains("zipf:0.8") && text.contains("90.0%"),
        "{text}"
    );
    let many = try_plan(&format!("{arguments} --connections 10k"))
        .unwrap()
        .1;
    assert!(many.contains("measured with 50 connections"), "{many}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_doubtful_search_is_refused_unless_accepted() {
    for (name, field, value, says) in [
        (
            "client",
            "limited_by",
            json!(LimitedBy::Client),
            "the client was the limit",
        ),
        ("wide", "settled", json!(false), "wider"),
        ("open", "capacity_high", Value::Null, "no rate missed"),
        ("wrong", "violations", json!({"wrong key": 3}), "wrong"),
    ] {
        let path = report(name, &[(field, value)]);
        let arguments = format!("--peak 5M --from {}", path.display());
        let why = refused(&arguments);
        assert!(
            why.contains(says) && why.contains("--accept-doubtful"),
            "{why}"
        );
        let (_, text) = try_plan(&format!("{arguments} --accept-doubtful")).unwrap();
        assert!(text.contains("the capacity is doubtful"), "{text}");
        assert!(try_plan(&format!("{arguments} --capacity 1M")).is_ok());
        std::fs::remove_file(path).unwrap();
    }
    let path = report(
        "none",
        &[("capacity", Value::Null), ("capacity_low", Value::Null)],
    );
    let why = refused(&format!("--peak 5M --from {}", path.display()));
    assert!(why.contains("found no capacity"), "{why}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn nonsense_is_refused() {
    for arguments in [
        "--peak 0 --capacity 1M",
        "--peak 5M --capacity 0",
        "--peak 5M --capacity 1M --headroom 100%",
        "--peak 5M --capacity 1M --node-network 0",
        "--peak 5M --capacity 1M --zones 0",
        "--peak 5M",
    ] {
        let all = ["loadgen", "plan"].into_iter().chain(arguments.split(' '));
        assert!(Cli::try_parse_from(all).is_err(), "{arguments}");
    }
    let why = refused("--peak 1G --capacity 1k");
    assert!(why.contains("more than"), "{why}");
    assert!(
        refused("--peak 5M --capacity 1M --items 1G --item-bytes 1g --node-memory 1m")
            .contains("items")
    );
}

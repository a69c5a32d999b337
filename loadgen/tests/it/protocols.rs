//! All verbs in all protocols against memcached, over TCP, Unix sockets and several servers.

use std::fs;

use crate::support::{Memcached, json, run_of, temporary};

const EVERYTHING: &str = "get=40,multiget:7=5,set=10,add=3,replace=3,delete=3,append=2,prepend=2,incr=3,decr=3,cas=5,touch=3,gat=3";
const TIMING: [&str; 6] = ["--rate", "4000", "--duration", "800ms", "--warmup", "100ms"];

/// Runs the mix and checks that every value was right and every verb was answered.
fn run_all(target: &[&str], mix: &str) {
    let workload = [
        "--mix",
        mix,
        "--keys",
        "2000",
        "--value-size",
        "10-3000",
        "--ttl",
        "0=1,1m-2m=1",
        "--look-aside",
    ];
    let (exit, report) = json(&[&["run"], target, &workload, &TIMING].concat());
    let run = run_of(report);
    assert_eq!(exit, 0, "{:?}", run.verdict);
    assert_eq!(run.verdict.violations_total(), 0, "{:?}", run.verdict);
    assert!(run.verdict.errors.is_empty(), "{:?}", run.verdict);
    for part in mix.split(',') {
        let name = part.split([':', '=']).next().unwrap();
        let class = run
            .classes
            .iter()
            .find(|class| class.verb == name)
            .unwrap_or_else(|| panic!("no {name}"));
        assert!(
            class.completed > 0 && class.response.p50_ns > Some(0),
            "{name}"
        );
    }
    assert!(run.all.hit_share().unwrap() > 0.8);
}

#[test]
fn text_with_meta_verbs_beside() {
    let Some(server) = Memcached::start(&[]) else {
        return;
    };
    run_all(
        &["-s", &server.address],
        &format!("{EVERYTHING},mg=3,ms=3,md=3,ma=3"),
    );
}

#[test]
fn meta() {
    let Some(server) = Memcached::start(&[]) else {
        return;
    };
    run_all(&["-s", &server.address, "--protocol", "meta"], EVERYTHING);
}

#[test]
fn binary() {
    let Some(server) = Memcached::start(&[]) else {
        return;
    };
    run_all(&["-s", &server.address, "--protocol", "binary"], EVERYTHING);
}

#[test]
fn unix_sockets() {
    let path = temporary("socket");
    let Some(server) = Memcached::start_unix(path.to_str().unwrap()) else {
        return;
    };
    run_all(&["-s", &server.address], EVERYTHING);
    drop(server);
    fs::remove_file(path).expect("memcached leaves its socket");
}

#[test]
fn several_servers_share_the_keys() {
    let (Some(first), Some(second)) = (Memcached::start(&[]), Memcached::start(&[])) else {
        return;
    };
    let both = format!("{},{}", first.address, second.address);
    run_all(&["-s", &both], EVERYTHING);
    let (_, report) = json(&[&["run", "-s", &both, "--mix", "get"][..], &TIMING].concat());
    assert_eq!(report.context.routing, "ketama");
    let run = run_of(report);
    assert_eq!(
        run.all.hit_share(),
        Some(1.0),
        "a key that was set is found on the server it was set on"
    );
    let asked: Vec<i64> = run
        .server_stats
        .iter()
        .map(|stats| stats.changes["cmd_get"])
        .collect();
    assert!(asked.iter().all(|gets| *gets > 200), "{asked:?}");
}

#[test]
fn large_values_and_deep_pipelines() {
    let Some(server) = Memcached::start(&["-m", "256"]) else {
        return;
    };
    let pid = server.pid().to_string();
    let workload = [
        "--mix",
        "get=1,set=1",
        "--keys",
        "200",
        "--value-size",
        "100k-500k",
        "--closed",
        "--depth",
        "8",
    ];
    let timing = [
        "--duration",
        "600ms",
        "--warmup",
        "0s",
        "--connections",
        "4",
        "--server-pid",
        &pid,
    ];
    let (exit, report) = json(&[&["run", "-s", &server.address], &workload[..], &timing].concat());
    let run = run_of(report);
    assert_eq!(exit, 0, "{:?}", run.verdict);
    assert_eq!(run.mode, "closed");
    assert!(run.all.completed > 50);
    assert!(run.server.unwrap().resident_bytes > 10 << 20);
}

#[test]
fn comparing_a_server_with_itself_shows_little() {
    let Some(server) = Memcached::start(&[]) else {
        return;
    };
    let arguments = [
        "compare",
        &server.address,
        &server.address,
        "--rounds",
        "1",
        "--keys",
        "1000",
    ];
    let (exit, report) = json(
        &[
            &arguments[..],
            &["--rate", "2000", "--duration", "2s", "--warmup", "100ms"],
        ]
        .concat(),
    );
    let loadgen::report::model::Body::Compare { compare } = report.body else {
        panic!("not a comparison");
    };
    assert_eq!(exit, 0);
    assert_eq!((compare.a.len(), compare.b.len()), (2, 2));
    assert!(
        compare
            .metrics
            .iter()
            .any(|metric| metric.metric == "response p99")
    );
}

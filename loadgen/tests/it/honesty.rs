//! loadgen tells the truth about servers whose behaviour is known, whatever happens to them.

use crate::bed::{Action, Bed, scripted};
use crate::scenarios::machine::{signal, start};
use crate::scenarios::{failures, machine, spread, values};
use crate::support::{json, loadgen, run_of, temporary, when_calm};
use loadgen::fleet::Fleet;
use loadgen::fleet::config::FleetConfig;
use loadgen::load::Load;
use loadgen::net::server::Server;
use loadgen::target::{Endpoint, Router};
use loadgen::wire::protocol::Protocol;
use loadgen::worker::arrivals::ArrivalKind;
use loadgen::worker::phase::WaitPolicy;
use loadgen::workload::{Workload, WorkloadSpec};
use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn poisson_arrivals_choose_connections_at_random() {
    spread::poisson_spreads().check();
}

#[test]
fn uniform_arrivals_take_turns() {
    spread::uniform_takes_turns().check();
}

#[test]
fn several_servers_have_all_their_connections_used() {
    spread::three_servers_spread().check();
}

#[test]
fn slow_replies_delay_only_their_own_connection() {
    when_calm(|| spread::slow_replies_delay_their_own_connection().result());
}

#[test]
fn a_schedule_that_cannot_be_kept_is_counted_and_each_wait_once() {
    spread::more_due_than_can_be_sent().check();
}

#[test]
fn requests_without_a_reply_count_as_long_as_they_waited() {
    failures::a_stopped_server().check();
}

#[test]
fn dropped_replies_are_counted_one_by_one() {
    failures::dropped_replies().check();
}

#[test]
fn refusals_keep_no_objective() {
    failures::refused_sets().check();
}

#[test]
fn a_closed_connection_is_counted_and_opened_again() {
    failures::one_connection_closed().check();
}

#[test]
fn a_killed_server_is_named_and_the_others_go_on() {
    failures::one_server_of_three_killed().check();
}

#[test]
fn a_malformed_reply_is_counted() {
    failures::a_malformed_reply().check();
}

#[test]
fn a_lost_reply_is_one_shift() {
    values::one_lost_reply().check();
}

#[test]
fn a_repeated_reply_is_one_shift() {
    values::one_repeated_reply().check();
}

/// Meta replies do not name their key: the values themselves show whose they are.
#[test]
fn a_lost_meta_reply_is_one_shift() {
    let items = Mutex::new(HashMap::new());
    let gets = AtomicUsize::new(0);
    let address = scripted(move |line| {
        let mut items = items.lock().unwrap();
        if line.text.starts_with("ms ") {
            items.insert(line.key().to_owned(), line.data.to_vec());
            return Action::Reply("HD\r\n".to_owned());
        }
        if gets.fetch_add(1, Ordering::SeqCst) == 1000 {
            return Action::Silence;
        }
        let data = &items[line.key()];
        Action::Bytes([format!("VA {}\r\n", data.len() - 2).as_bytes(), data].concat())
    })
    .to_string();
    let load = ["-r", "2k", "-d", "1500ms", "-c", "2", "-p", "meta"];
    let workload = ["--keys", "500", "--mix", "get", "--warmup", "0s"];
    let (exit, report) = json(&[&["run", "-s", &address], &load[..], &workload].concat());
    let run = run_of(report);
    let kinds: Vec<(&str, u64)> = run
        .verdict
        .incidents
        .iter()
        .map(|incident| (incident.kind.as_str(), incident.count))
        .collect();
    assert_eq!(kinds, [("shifted replies", 1)], "{:?}", run.verdict);
    assert_eq!(run.verdict.violations_total(), 0);
    assert_eq!(exit, 4);
}

#[test]
fn corrupt_values_are_no_shift() {
    values::corrupt_values().check();
}

#[test]
fn server_cpu_is_counted_finely() {
    machine::server_cpu().check();
}

const SHORT: [&str; 10] = [
    "--keys", "100", "--mix", "get", "--warmup", "0s", "-r", "500", "-d", "1s",
];

/// All connections closed at once, and again and again.
#[test]
fn a_server_that_closes_every_connection_is_reported() {
    let address = scripted(|_| Action::Close).to_string();
    let (exit, report) = json(&[&["run", "-s", &address, "--no-preload"], &SHORT[..]].concat());
    let run = run_of(report);
    assert_eq!(exit, 4, "{:?}", run.verdict);
    assert_eq!(run.all.completed, 0);
    assert!(run.verdict.lost_total() > 200, "{:?}", run.verdict);
    assert!(run.all.response.p50_ns.is_some(), "waits count");
    assert_eq!(run.verdict.slo, None);
}

/// The preload meets a server that closes on every set: what could not be set is counted, and the report comes.
#[test]
fn a_preload_that_loses_its_sets_is_reported() {
    let address = scripted(|line| match line.is_get() {
        true => Action::Reply("END\r\n".to_owned()),
        false => Action::Close,
    })
    .to_string();
    let (_, report) = json(&[&["run", "-s", &address], &SHORT[..]].concat());
    let run = run_of(report);
    let preload = run.preload.unwrap();
    assert_eq!((preload.keys, preload.errors), (0, 100));
    assert!(run.all.completed > 200, "{:?}", run.verdict);
}

#[test]
fn sigterm_leaves_a_report() {
    machine::terminated().check();
}

#[test]
fn an_interrupted_scan_reports_the_steps_it_has() {
    let bed = Bed::honest();
    let more = ["--steps", "20", "--step", "500ms", "--json", "-", "--quiet"];
    let workload = ["--keys", "100", "--mix", "get", "--warmup", "0s"];
    let child = start(
        &[
            &["scan", "500..501", "-s", &bed.address],
            &more[..],
            &workload,
        ]
        .concat(),
    );
    bed.wait_for_gets(600);
    signal(&child, rustix::process::Signal::INT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: loadgen::report::model::Report = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        report.headline.starts_with("CUT SHORT"),
        "{}",
        report.headline
    );
}

#[test]
fn files_that_cannot_be_written_are_named_before_the_run() {
    let bed = Bed::honest();
    for path in ["/nonexistent/directory/report", "/dev/full"] {
        for option in ["--json", "--csv", "--html", "--hdr"] {
            let output =
                loadgen(&[&["run", "-s", &bed.address, option, path], &SHORT[..]].concat());
            assert_eq!(output.status.code(), Some(1), "{option} {path}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains(path), "{stderr}");
        }
    }
    assert_eq!(bed.gets(), 0, "nothing was measured");
}

/// A file that could be written before the run and cannot after it: everything else is written all the same.
#[test]
fn a_disk_that_fails_during_the_run_loses_only_its_own_file() {
    let bed = Bed::honest();
    let (directory, html) = (temporary("gone"), temporary("kept.html"));
    std::fs::create_dir(&directory).unwrap();
    let csv = directory.join("report.csv");
    let files = [
        "--csv",
        csv.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ];
    let child = start(&[&["run", "-s", &bed.address], &files[..], &SHORT].concat());
    bed.wait_for_gets(50);
    std::fs::remove_dir_all(&directory).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("at 500/s: response p50"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("report.csv"));
    assert!(std::fs::read_to_string(&html).unwrap().contains("<svg"));
    std::fs::remove_file(&html).unwrap();
}

#[test]
fn standard_output_that_is_full_is_no_panic() {
    let bed = Bed::honest();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args([&["run", "-s", &bed.address, "-q"], &SHORT[..]].concat())
        .stdout(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("standard output"), "{stderr}");
}

#[test]
fn a_closed_loop_of_few_requests_uses_all_connections() {
    let bed = Bed::honest();
    let more = ["--closed", "--max-in-flight", "5", "-q", "--json", "-"];
    let output = loadgen(
        &[
            &["run", "-s", &bed.address],
            &more[..],
            &SHORT[..6],
            &["-d", "1s"],
        ]
        .concat(),
    );
    let run = run_of(serde_json::from_slice(&output.stdout).unwrap());
    let share = &run.connections[0];
    assert_eq!(share.connections, 50);
    assert!(share.lowest * 2 > share.highest, "{share:?}");
}

#[test]
fn standard_error_that_is_full_loses_nothing() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let refusing = scripted(|_| Action::Reply("SERVER_ERROR busy\r\n".to_owned())).to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args([&["run", "-s", &refusing], &SHORT[..]].concat())
        .stderr(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "most requests were refused");
    assert!(String::from_utf8_lossy(&output.stdout).contains("ERRORS"));
}

#[test]
fn a_scan_of_refusals_keeps_nothing() {
    let address = scripted(|_| Action::Reply("SERVER_ERROR busy\r\n".to_owned())).to_string();
    let more = ["--steps", "2", "--step", "300ms", "--no-preload"];
    let (exit, report) = json(
        &[
            &["scan", "300..400", "-s", &address],
            &more[..],
            &SHORT[..6],
        ]
        .concat(),
    );
    let loadgen::report::model::Body::Scan { scan } = report.body else {
        panic!("not a scan");
    };
    assert_eq!(exit, 7);
    assert!(scan.steps.iter().all(|step| step.kept == Some(false)));
    assert!(scan.steps.iter().all(|step| step.response.p99_ns.is_none()));
}

#[test]
fn a_compare_says_first_whose_requests_failed() {
    let good = Bed::honest();
    let bad = scripted(|line| {
        let reply = if line.is_get() {
            "SERVER_ERROR busy\r\n"
        } else {
            "STORED\r\n"
        };
        Action::Reply(reply.to_owned())
    })
    .to_string();
    let more = ["--rounds", "1", "--keys", "100", "--warmup", "0s"];
    let load = ["--mix", "get=1,set=1", "-r", "400", "-d", "300ms"];
    let (exit, report) = json(&[&["compare", &good.address, &bad], &more[..], &load].concat());
    assert_eq!(exit, 6);
    assert!(
        report.headline.starts_with("B failed"),
        "{}",
        report.headline
    );
}

/// While the server stands still, each window says how long its requests have waited so far.
#[test]
fn the_status_line_counts_what_still_waits() {
    let bed = Bed::start(|_, get| match get.number {
        100.. => Action::Silence,
        _ => Action::Bytes(get.right),
    });
    let config = FleetConfig {
        servers: vec![Server::plain(Endpoint::parse(&bed.address).unwrap())],
        router: Router::Single,
        protocol: Protocol::Text,
        connections: 10,
        cpus: loadgen::host::allowed_cpus().unwrap()[..1].to_vec(),
        depth_max: 64,
        wait: WaitPolicy::Hybrid,
        workload: Workload::new(WorkloadSpec {
            mix: "get".parse().unwrap(),
            ..WorkloadSpec::default()
        })
        .unwrap(),
    };
    let load = Load {
        rate: Some(500.0),
        arrivals: ArrivalKind::Poisson,
        depth: 64,
        in_flight_max: 1000,
        warm_up: Duration::ZERO,
        duration: Duration::from_millis(1200),
        interval: Duration::from_millis(200),
    };
    let mut waits = Vec::new();
    let mut fleet = Fleet::start(&config).unwrap();
    let measurement = fleet
        .run(&load, &mut |window| waits.push(window.response.max()))
        .unwrap();
    assert!(waits.len() >= 3, "{waits:?}");
    let last = waits[waits.len() - 1];
    assert!(
        last > 700_000_000,
        "the first has waited longest: {waits:?}"
    );
    let all = measurement.total.all_verbs();
    assert_eq!(all.counts.completed, 100);
    assert_eq!(all.response.len(), 100 + all.counts.no_reply_total());
}

#[test]
fn a_crowded_cpu_does_not_hide_what_the_client_costs() {
    machine::crowded_client().check();
}

//! Errors, exit codes and files of the binary.

use crate::bed::{Action, scripted};
use crate::support::{Memcached, ensure, json, loadgen, run_of, temporary, when_calm};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SHORT: [&str; 6] = [
    "--duration",
    "400ms",
    "--warmup",
    "0s",
    "--no-preload",
    "--quiet",
];

fn run(server: &str, more: &[&str]) -> Output {
    loadgen(&[&["run", "-s", server], more, &SHORT].concat())
}

fn assert_fails(output: &Output, code: i32, says: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{stderr}{stdout}");
    assert!(
        stderr.contains(says) || stdout.contains(says),
        "{stderr}{stdout}"
    );
}

/// An address that nobody listens on.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn no_server_is_said_so() {
    assert_fails(&run(&nobody(), &[]), 3, "is a server running there?");
}

#[test]
fn other_protocols_are_recognised() {
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in web.incoming().flatten() {
            std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
            // Kept open: the answer is what tells, not the end.
            std::mem::forget(stream);
        }
    });
    assert_fails(&run(&address, &[]), 3, "HTTP/1.1 400 Bad Request");
    assert_fails(
        &run(&address, &["--protocol", "binary"]),
        3,
        "binary protocol",
    );
}

#[test]
fn a_server_that_goes_away_is_said_so() {
    let requests = AtomicU64::new(0);
    let address = scripted(move |_| match requests.fetch_add(1, Ordering::Relaxed) {
        0..100 => Action::Reply("END\r\n".to_owned()),
        _ => Action::Close,
    });
    assert_fails(
        &run(&address.to_string(), &["--rate", "2000"]),
        4,
        "closed the connection",
    );
}

#[test]
fn wrong_values_fail_the_run() {
    let address = scripted(|line| {
        let key = line.text.split(' ').nth(1).unwrap_or_default();
        Action::Reply(format!(
            "VALUE {key} 0 100\r\n{}\r\nEND\r\n",
            "x".repeat(100)
        ))
    });
    let output = run(&address.to_string(), &["--rate", "500", "--mix", "get"]);
    assert_fails(&output, 5, "WRONG DATA");
    let unchecked = run(
        &address.to_string(),
        &["--rate", "500", "--mix", "get", "--no-verify"],
    );
    assert_eq!(unchecked.status.code(), Some(0));
}

#[test]
fn an_objective_that_is_missed_fails_the_run() {
    let address = scripted(|_| Action::Reply("END\r\n".to_owned())).to_string();
    assert_fails(
        &run(
            &address,
            &["--rate", "500", "--mix", "get", "--slo", "p50<1us"],
        ),
        6,
        "OBJECTIVE MISSED",
    );
    assert_fails(
        &run(
            &address,
            &["--rate", "500", "--mix", "get", "--slo", "misses<1%"],
        ),
        6,
        "misses is 100.0%",
    );
}

#[test]
fn errors_of_the_server_are_counted_and_quoted() {
    let address =
        scripted(|_| Action::Reply("SERVER_ERROR out of memory storing object\r\n".to_owned()))
            .to_string();
    let output = run(&address, &["--rate", "500", "--mix", "set", "--strict"]);
    assert_fails(&output, 7, "x out of memory");
    assert_fails(&output, 7, "storing object");
    let lenient = run(&address, &["--rate", "500", "--mix", "set"]);
    assert_eq!(
        lenient.status.code(),
        Some(7),
        "a run in which nothing works has failed"
    );
}

#[test]
fn wrong_options_are_explained() {
    for (option, value, says) in [
        ("--mix", "put=1", "unknown operation 'put'"),
        ("--key-dist", "gauss", "unknown key distribution"),
        ("--value-size", "huge", "a value size is"),
        ("--duration", "5 parsecs", "unknown time unit"),
        ("--slo", "latency<1ms", "unknown metric"),
        ("--cpus", "a", "--cpus"),
        ("--cpus", "1000", "--cpus"),
        ("--rate", "fast", "does not begin with a number"),
        ("--ttl", "40d", "unknown time unit"),
        ("--ttl", "500ms", "whole seconds"),
        ("--rate", "0", "must lie between"),
        ("--rate", "1e-9", "must lie between"),
        ("--rate", "1e30", "must lie between"),
        ("--duration", "0", "must be above 0"),
        ("--duration", "1e9", "at most 30 days"),
        ("--interval", "0", "must be above 0"),
        ("--interval", "1us", "must be at least"),
        ("--cpus", "0,0", "CPU 0 is named twice"),
        ("--warmup", "1e9", "at most 30 days"),
        ("--max-in-flight", "0", "must be at least 1"),
        ("--keys", "0", "at least one key"),
        ("--value-size", "lognormal:100:1:0", "has no values"),
        ("--key-dist", "zipf:1e300", "not a zipf exponent"),
        ("--server-pid", "4294967295", "--server-pid 4294967295: "),
        ("--json", "/nowhere/at/all", "/nowhere/at/all"),
    ] {
        // Before anything is connected: there is no server.
        let output = loadgen(&["run", "-s", &nobody(), option, value, "--quiet"]);
        let code = output.status.code().unwrap();
        assert!(code == 2 || code == 1, "{option} {value}: {code}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(says), "{option} {value}: {stderr}");
    }
}

#[test]
fn options_that_do_not_go_together_are_explained_before_a_server_is_asked() {
    let (a, b) = (nobody(), nobody());
    let both = format!("{a},{b}");
    let two = ["run", "-s", &both, "--shard-aware"];
    let unix = ["run", "-s", "unix:/nowhere", "--shard-aware"];
    let binary = ["run", "-s", &a, "--protocol", "binary", "--mix", "mg"];
    let windows = ["run", "-s", &a, "--duration", "24h", "--interval", "10ms"];
    let search = ["search", "-s", &a, "--start", "2k", "--rate-max", "1k"];
    let scan = ["scan", "9k..1k", "-s", &a];
    let cpus = ["scan", "1k..9k", "-s", &a, "--cpus", "1,1"];
    let compare = ["compare", &a, "ssl://127.0.0.1"];
    let pid = ["compare", &a, &b, "--server-pid-b", "4294967295"];
    let commands: [(&[&str], &str); 9] = [
        (&two, "works with one server"),
        (&unix, "needs TCP"),
        (&binary, "are meta commands"),
        (&windows, "give at least"),
        (&search, "is above --rate-max"),
        (&scan, "write the lower end first"),
        (&cpus, "is named twice"),
        (&compare, "with TLS write tls://HOST:PORT"),
        (&pid, "--server-pid-b 4294967295: "),
    ];
    for (command, says) in commands {
        assert_fails(&loadgen(command), 2, says);
    }
}

#[test]
fn more_windows_than_can_be_kept_are_refused() {
    let address = scripted(|_| Action::Reply("END\r\n".to_owned())).to_string();
    let long = ["--duration", "1h", "--interval", "100ms"];
    let output = loadgen(
        &[
            &["run", "-s", &address, "--no-preload", "--quiet"],
            &long[..],
        ]
        .concat(),
    );
    assert_fails(&output, 2, "give at least 361ms");
}

#[test]
fn a_rate_below_one_is_shown_as_it_is() {
    let address = scripted(|_| Action::Reply("END\r\n".to_owned())).to_string();
    let output = run(&address, &["--rate", "0.02"]);
    assert_fails(&output, 0, "at 0.02/s");
}

#[test]
fn files_are_written_and_the_json_is_documented() {
    let Some(server) = Memcached::start(&[]) else {
        return;
    };
    let paths: Vec<_> = ["json", "html", "csv", "hdr"]
        .iter()
        .map(|name| temporary(name))
        .collect();
    let mut arguments = vec!["--rate", "2000", "--keys", "1000", "--slo", "p99<60s"];
    for (option, path) in ["--json", "--html", "--csv", "--hdr"].iter().zip(&paths) {
        arguments.extend([option, path.to_str().unwrap()]);
    }
    let pid = server.pid().to_string();
    arguments.extend(["--server-pid", &pid]);
    let output = loadgen(
        &[
            &[
                "run",
                "-s",
                &server.address,
                "--duration",
                "1s",
                "--warmup",
                "0s",
            ],
            &arguments[..],
        ]
        .concat(),
    );
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |index: usize| std::fs::read_to_string(&paths[index]).unwrap();
    let json: Value = serde_json::from_str(&read(0)).unwrap();
    assert_eq!(
        json["schema_version"],
        loadgen::report::model::SCHEMA_VERSION
    );
    assert_documented(&json);
    assert!(
        read(1).contains("<svg") && !read(1).contains("http://") && !read(1).contains("https://"),
        "the page is self-contained"
    );
    assert!(read(2).lines().count() >= 2);
    assert!(read(3).starts_with('#') && read(3).contains("HIST"));
    paths
        .iter()
        .for_each(|path| std::fs::remove_file(path).unwrap());
}

/// Names that are data, not fields: statistics of the server, classes of violations and errors.
const DATA: [&str; 4] = ["changes", "violations", "errors", "no_reply"];

fn field_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                names.insert(name.clone());
                if !DATA.contains(&name.as_str()) {
                    field_names(field, names);
                }
            }
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| field_names(element, names)),
        _ => {}
    }
}

fn assert_documented(json: &Value) {
    let documentation = include_str!("../../docs/json.md");
    let mut names = BTreeSet::new();
    field_names(json, &mut names);
    for name in names {
        assert!(
            documentation.contains(&format!("`{name}`")),
            "docs/json.md does not mention `{name}`"
        );
    }
}

#[test]
fn a_plan_needs_no_server() {
    let output = loadgen(&["plan", "--peak", "5M", "--capacity", "900k"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("9 nodes"));
}

#[test]
fn strict_passes_a_clean_run() {
    when_calm(run_cleanly);
}

fn run_cleanly() -> Result<(), String> {
    let Some(server) = Memcached::start(&[]) else {
        return Ok(());
    };
    let (exit, report) = json(&[
        "run",
        "-s",
        &server.address,
        "--rate",
        "500",
        "--duration",
        "500ms",
        "--keys",
        "100",
    ]);
    let run = run_of(report);
    assert_eq!(exit, 0);
    let preload = run.preload.expect("the keys were set first");
    assert_eq!((preload.keys, preload.errors), (100, 0), "{preload:?}");
    let achieved = run.achieved;
    ensure((achieved - 500.0).abs() < 150.0, || format!("{achieved}/s"))
}

#[test]
fn an_interrupted_run_reports_what_it_has() {
    when_calm(interrupt);
}

fn interrupt() -> Result<(), String> {
    let address = scripted(|_| Action::Reply("END\r\n".to_owned())).to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args([
            "run",
            "-s",
            &address,
            "--rate",
            "500",
            "--duration",
            "60s",
            "--warmup",
            "0s",
        ])
        .args(["--mix", "get", "--no-preload", "--json", "-", "--quiet"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1300));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    // A process that has hardly begun does not know of signals yet.
    let status = output.status.code();
    ensure(status == Some(0), || format!("{:?}", output.status))?;
    let report = serde_json::from_slice(&output.stdout).unwrap();
    let run = run_of(report);
    let seconds = run.seconds;
    ensure((0.5..3.0).contains(&seconds), || format!("{seconds} s"))?;
    let overloaded = run.verdict.overloaded;
    ensure(overloaded.is_none(), || format!("{overloaded:?}"))
}

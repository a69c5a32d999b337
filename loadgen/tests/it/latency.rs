//! Honest latency: a server that stalls must show in response times, not in service times.

use crate::bed::{Action, scripted};
use crate::support::{ensure, json, run_of, when_calm};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const STALL: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_secs(1);

/// Answers misses, and does nothing for 100 ms once a second.
fn stalling_server() -> std::net::SocketAddr {
    let next_stall = Mutex::new(Instant::now() + PERIOD / 2);
    scripted(move |_| {
        let mut next_stall = next_stall.lock().unwrap();
        if Instant::now() >= *next_stall {
            std::thread::sleep(STALL);
            *next_stall += PERIOD;
        }
        Action::Reply("END\r\n".to_owned())
    })
}

#[test]
fn a_stall_shows_in_response_time_not_in_service_time() {
    when_calm(measure_stalls);
}

fn measure_stalls() -> Result<(), String> {
    let address = stalling_server().to_string();
    let arguments = [
        "run",
        "-s",
        &address,
        "--rate",
        "1000",
        "--arrivals",
        "uniform",
        "--connections",
        "1",
        "--depth",
        "1",
    ];
    let timing = [
        "--duration",
        "4s",
        "--warmup",
        "500ms",
        "--mix",
        "get",
        "--no-preload",
    ];
    let (_, report) = json(&[&arguments[..], &timing].concat());
    let run = run_of(report);
    let ms = |ns: Option<u64>| ns.unwrap() as f64 / 1e6;
    assert!(ms(run.all.service.max_ns) > 90.0);
    // 100 of 1000 requests a second wait between 0 and 100 ms: the 99th percentile of all waits about 90 ms.
    let response = ms(run.all.response.p99_ns);
    ensure((75.0..115.0).contains(&response), || {
        format!("response p99 {response} ms")
    })?;
    // One request in a thousand is in the server when the server stalls.
    let service = ms(run.all.service.p99_ns);
    ensure(service < 25.0, || format!("service p99 {service} ms"))?;
    let achieved = run.achieved;
    ensure((achieved - 1000.0).abs() < 50.0, || format!("{achieved}/s"))?;
    let overloaded = run.verdict.overloaded;
    ensure(overloaded.is_none(), || format!("{overloaded:?}"))
}

#[test]
fn a_server_that_cannot_keep_up_is_overloaded_and_the_waits_are_counted() {
    // One connection, one request at a time, 5 ms each: 200 requests/s at most.
    let address = scripted(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Action::Reply("END\r\n".to_owned())
    })
    .to_string();
    let arguments = [
        "run",
        "-s",
        &address,
        "--rate",
        "1000",
        "--connections",
        "1",
        "--depth",
        "1",
        "--strict",
    ];
    let timing = [
        "--duration",
        "1s",
        "--warmup",
        "0s",
        "--mix",
        "get",
        "--no-preload",
    ];
    let (exit, report) = json(&[&arguments[..], &timing].concat());
    let run = run_of(report);
    assert!(run.verdict.overloaded.is_some());
    assert!(run.verdict.error_share > 0.5, "{}", run.verdict.error_share);
    assert!(
        run.all.response.p99_ns > Some(300_000_000),
        "waits grow with the backlog"
    );
    assert_eq!(exit, 7);
}

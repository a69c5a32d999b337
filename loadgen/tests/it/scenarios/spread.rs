//! Which connections and servers get the requests, and who waits behind whom.

use super::{Row, ms, preloaded, range, run};
use crate::bed::{Action, Bed};
use loadgen::report::model::RunResult;
use std::time::Duration;

fn spread(server: &'static str, arrivals: &str, lowest: u64, highest: u64) -> Row {
    let bed = Bed::honest();
    let (exit, run) = run(
        &bed.address,
        &["-r", "2k", "-d", "2s", "--arrivals", arrivals],
    );
    let counts = bed.gets_by_connection();
    let (low, high) = range(&counts);
    let said = &run.connections[0];
    Row::new(
        server,
        format!("{} connections got {low} to {high} requests", counts.len()),
        format!("{} to {}", said.lowest, said.highest),
    )
    .expect("exit 0", exit == 0)
    .expect("every key set is counted", preloaded(&run) == 500)
    .expect("all connections are used", counts.len() == 50)
    .expect("as counted", (said.lowest, said.highest) == (low, high))
    .expect("as chance has it", low >= lowest && high <= highest)
}

/// 4,000 requests on 50 connections: 80 each, with a standard deviation of 9.
pub(crate) fn poisson_spreads() -> Row {
    spread(
        "answers; 50 connections, Poisson arrivals",
        "poisson",
        30,
        140,
    )
}

pub(crate) fn uniform_takes_turns() -> Row {
    spread(
        "answers; 50 connections, uniform arrivals",
        "uniform",
        80,
        80,
    )
}

pub(crate) fn three_servers_spread() -> Row {
    let beds = [Bed::honest(), Bed::honest(), Bed::honest()];
    let addresses: Vec<&str> = beds.iter().map(|bed| bed.address.as_str()).collect();
    let (exit, run) = run(&addresses.join(","), &["-r", "2k", "-d", "2s", "-c", "30"]);
    let truth: Vec<(u64, u64)> = beds
        .iter()
        .map(|bed| range(&bed.gets_by_connection()))
        .collect();
    let said: Vec<(u64, u64)> = run
        .connections
        .iter()
        .map(|share| (share.lowest, share.highest))
        .collect();
    let words = |ranges: &[(u64, u64)]| {
        let all: Vec<String> = ranges.iter().map(|(a, b)| format!("{a} to {b}")).collect();
        all.join("; ")
    };
    Row::new(
        "three that answer; 30 connections, ketama",
        words(&truth),
        words(&said),
    )
    .expect("exit 0", exit == 0)
    .expect("every key set is counted", preloaded(&run) == 500)
    .expect("as counted", truth == said)
    .expect(
        "no connection is left out",
        truth.iter().all(|(low, _)| *low > 20),
    )
}

/// 1% of replies are late; on 50 connections few others wait behind them, so nine tenths never notice.
pub(crate) fn slow_replies_delay_their_own_connection() -> Row {
    const PAUSE: Duration = Duration::from_millis(300);
    let bed = Bed::start(|_, get| match get.number % 100 {
        50 => Action::Late(PAUSE, get.right),
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &["-r", "500", "-d", "3s"]);
    let response = &run.all.response;
    Row::new(
        "1% of replies 300 ms late; 500/s on 50 connections",
        "p90 below 150 ms, p99 300 ms".to_owned(),
        format!(
            "p90 {:.0} ms, p99 {:.0} ms (slip {:.0} ms)",
            ms(response.p90_ns),
            ms(response.p99_ns),
            ms(run.all.slip.p99_ns)
        ),
    )
    .expect("exit 0", exit == 0)
    .expect("p90", ms(response.p90_ns) < 150.0)
    .expect("p99", (270.0..2000.0).contains(&ms(response.p99_ns)))
}

/// The share that the note about waiting requests names, in percent.
fn held_percent(run: &RunResult) -> Option<f64> {
    let notes = run.verdict.notes.iter();
    let mut shares = notes.filter_map(|note| note.split_once("% of requests were due while"));
    shares.next()?.0.parse().ok()
}

/// A schedule far beyond what any machine sends. What was never sent is counted, in little time, and each request that
/// waited is counted once, whatever it waited for.
pub(crate) fn more_due_than_can_be_sent() -> Row {
    const RATE: u64 = 50_000_000;
    const IN_FLIGHT_MAX: u64 = 50;
    let bed = Bed::honest();
    let few = ["-c", "2", "--depth", "4", "--max-in-flight"];
    let outstanding = IN_FLIGHT_MAX.to_string();
    let load = ["-r", "50M", "-d", "1s"];
    let (exit, run) = run(&bed.address, &[&load[..], &few, &[&outstanding]].concat());
    let due = run.all.completed + run.all.no_reply;
    let held = held_percent(&run).unwrap_or(0.0);
    let notes = &run.verdict.notes;
    Row::new(
        "answers; 50 M/s for 1 s, 50 requests outstanding at most",
        format!("{RATE} due, {} answered, nearly all waited", bed.answered()),
        format!(
            "{due} due, {} answered, {held:.1}% of those sent waited",
            run.all.completed
        ),
    )
    .expect("exit 0", exit == 0)
    .expect("overloaded", run.verdict.overloaded.is_some())
    .expect("all that was due", due.abs_diff(RATE) < RATE / 100)
    // Requests that were under way when loadgen stopped waiting may be answered all the same.
    .expect(
        "as answered",
        (0..=IN_FLIGHT_MAX).contains(&(bed.answered() - run.all.completed)),
    )
    .expect("waited once each", (90.0..=100.0).contains(&held))
    .expect(
        "the estimate is named",
        notes.iter().any(|note| note.contains("is an estimate")),
    )
}

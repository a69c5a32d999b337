//! Known truths that search, scan, compare, plan and the command line are compared with; rows of the table as in
//! [`crate::scenarios`].

use crate::bed::{Action, Bed, scripted};
use crate::scenarios::Row;
use crate::support::{json, loadgen};
use loadgen::record::latency_histogram;
use loadgen::report::model::Body;
use loadgen::slo::{Facts, Slo};
use loadgen::stats::search::{Found, Length, Outcome, Plan, search};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::convert::Infallible;
use std::time::Duration;

/// The highest rate at which one worker that takes 200 us for each of its requests answers 99% of them within 2 ms
/// (from a simulation of 40,000 s; arrivals are Poisson's).
const TRUTH: f64 = 3867.0;
/// Searches of that server.
const SEARCHES: u64 = 40;

/// A queue with one worker and a constant service time, in virtual time, and loadgen's judgement of it.
fn queue(rng: &mut SmallRng, slo: &Slo, rate: f64, length: Length) -> Outcome {
    const SERVICE_S: f64 = 200e-6;
    const WARM_UP_S: f64 = 1.0;
    let seconds = match length {
        Length::Short => 3.0,
        Length::Full => (slo.requests_needed() / rate).max(3.0),
    };
    let mut response = latency_histogram();
    let (mut now_s, mut free_s) = (0.0f64, 0.0f64);
    loop {
        now_s -= (1.0 - rng.random::<f64>()).ln() / rate;
        if now_s > WARM_UP_S + seconds {
            break;
        }
        free_s = now_s.max(free_s) + SERVICE_S;
        if now_s > WARM_UP_S {
            response.saturating_record(((free_s - now_s) * 1e9) as u64);
        }
    }
    let facts = Facts {
        response: &response,
        errors: 0.0,
        lost: 0,
        misses: None,
    };
    Outcome {
        excess: slo.excess(&facts),
        client_limited: false,
    }
}

fn search_queue(seed: u64) -> Found {
    let mut rng = SmallRng::seed_from_u64(seed);
    let slo: Slo = "p99<2ms,errors<0.01%".parse().unwrap();
    let plan = Plan {
        start: [100.0, 1_000.0, 10_000.0, 80_000.0][seed as usize % 4],
        rate_max: 20e6,
        precision: 0.02,
        edge_probes_min: 12,
        edge_probes_max: 40,
    };
    search(&plan, |rate, length| {
        Ok::<_, Infallible>(queue(&mut rng, &slo, rate, length))
    })
    .unwrap()
}

/// Makes the decisions of `loadgen search`, without its sockets.
pub(crate) fn search_in_virtual_time() -> Row {
    let found: Vec<Found> = (0..SEARCHES).map(search_queue).collect();
    let holds = |found: &&Found| (found.interval.0..found.interval.1).contains(&TRUTH);
    let holding = found.iter().filter(holds).count();
    let wide = |found: &&Found| found.interval.1 / found.interval.0 > 1.05;
    let capacities = found.iter().filter_map(|found| found.capacity);
    let mean = capacities.sum::<f64>() / SEARCHES as f64;
    Row::new(
        "one worker, 200 us a request (simulated); search, p99 < 2 ms",
        format!("{TRUTH}/s"),
        format!("{mean:.0}/s on average; {holding} of {SEARCHES} intervals of +- 2% hold it"),
    )
    .expect("95% of the intervals", holding >= 38)
    .expect("narrow intervals", found.iter().filter(wide).count() <= 2)
    .expect("no bias", (mean / TRUTH - 1.0).abs() < 0.005)
}

/// A server that takes so long for each get.
fn slow(delay: Duration) -> String {
    scripted(move |line| {
        if line.is_get() {
            std::thread::sleep(delay);
        }
        Action::Reply("END\r\n".to_owned())
    })
    .to_string()
}

pub(crate) fn compare_with_a_slower_one() -> Row {
    // Far longer than a busy machine delays the other.
    let (good, slow) = (Bed::honest(), slow(Duration::from_millis(200)));
    let load = [
        "--mix", "get", "-r", "60", "-d", "900ms", "--warmup", "100ms",
    ];
    let more = ["--keys", "100", "--no-preload", "--label-b", "slow"];
    let (exit, report) = json(&[&["compare", &good.address, &slow], &load[..], &more].concat());
    let Body::Compare { compare } = &report.body else {
        panic!("not a comparison");
    };
    let p50 = compare
        .metrics
        .iter()
        .find(|row| row.metric == "response p50");
    let answer = p50.map_or("nothing".to_owned(), |row| row.answer.to_string());
    let compares_rates = compare.metrics.iter().any(|row| row.metric == "requests/s");
    Row::new(
        "B takes 200 ms longer than A; compare, open loop",
        "B is worse, requests/s say nothing".to_owned(),
        format!("p50: {answer}; exit code {exit}"),
    )
    .expect("B is worse", answer == "B is worse" && exit == 8)
    .expect("the label", report.headline.contains("slow"))
    .expect("no rates", !compares_rates)
}

pub(crate) fn scan_above_the_objective() -> Row {
    let slow = slow(Duration::from_millis(10));
    let load = [
        "--mix", "get", "--step", "400ms", "--warmup", "0s", "--steps", "4",
    ];
    let more = ["--keys", "100", "--no-preload", "--slo", "p50<5ms"];
    let (exit, report) = json(&[&["scan", "50..200", "-s", &slow], &load[..], &more].concat());
    let says = report.headline.split(':').next().unwrap_or_default();
    Row::new(
        "takes 10 ms for each get; scan 50..200, p50 < 5 ms",
        "no rate keeps it".to_owned(),
        format!("{says}; exit code {exit}"),
    )
    .expect("exit 6", exit == 6)
    .expect(
        "said",
        report.headline.contains("no step keeps p50 < 5.00 ms"),
    )
}

pub(crate) fn plan_for_a_hot_key() -> Row {
    let keys = ["--items", "2G", "--key-dist", "zipf:0.99"];
    let output = loadgen(&[&["plan", "--peak", "5M", "--capacity", "154k"], &keys[..]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let says = stderr.split("alone is ").nth(1).unwrap_or_default();
    Row::new(
        "zipf 0.99 over 2 G keys, 5 M/s; plan with nodes of 154 k/s",
        "the first key is 4.1% of all requests, 204 k/s: no number of nodes is enough".to_owned(),
        says.split(" at the peak")
            .next()
            .unwrap_or_default()
            .to_owned(),
    )
    .expect("exit 6", output.status.code() == Some(6))
    .expect(
        "the share",
        says.starts_with("4.1% of all requests, 204 k/s"),
    )
}

#[test]
fn the_intervals_of_40_searches_hold_the_truth() {
    search_in_virtual_time().check();
}

#[test]
fn a_slower_server_is_worse() {
    compare_with_a_slower_one().check();
}

#[test]
fn a_scan_above_the_objective_says_so() {
    scan_above_the_objective().check();
}

#[test]
fn a_hot_key_is_more_than_a_node() {
    plan_for_a_hot_key().check();
}

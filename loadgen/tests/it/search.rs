//! The search converges on a server of known capacity.

use crate::bed::{Action, scripted};
use crate::support::{ensure, json, when_calm};
use loadgen::report::model::Body;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const CAPACITY: f64 = 4000.0;

/// A server that answers at most `CAPACITY` requests a second: each takes its turn on a timeline, and what is a little
/// ahead of it is let through, so that the server's own sleeping does not blur the capacity.
fn limited_server() -> std::net::SocketAddr {
    let next_turn = Mutex::new(Instant::now());
    scripted(move |_| {
        let turn = {
            let mut next_turn = next_turn.lock().unwrap();
            *next_turn = (*next_turn).max(Instant::now()) + Duration::from_secs_f64(1.0 / CAPACITY);
            *next_turn
        };
        let ahead = turn.saturating_duration_since(Instant::now());
        if ahead > Duration::from_millis(2) {
            std::thread::sleep(ahead);
        }
        Action::Reply("END\r\n".to_owned())
    })
}

#[test]
fn a_known_capacity_is_found() {
    when_calm(find_capacity);
}

fn find_capacity() -> Result<(), String> {
    let address = limited_server().to_string();
    let target = [
        "search",
        "-s",
        &address,
        "--connections",
        "8",
        "--no-preload",
        "--mix",
        "get",
        "--no-verify",
    ];
    let plan = [
        "--slo",
        "p90<40ms",
        "--start",
        "1500",
        "--probe",
        "600ms",
        "--warmup",
        "300ms",
        "--precision",
        "10%",
    ];
    let (exit, report) = json(&[&target[..], &plan].concat());
    let Body::Search { search } = report.body else {
        panic!("not a search");
    };
    let found = search.capacity;
    let is_near = |capacity| (CAPACITY * 0.75..CAPACITY * 1.15).contains(&capacity);
    ensure(found.is_some_and(is_near), || format!("found {found:?}"))?;
    assert_eq!(exit, 0);
    assert!(report.headline.contains("requests/s"));
    Ok(())
}

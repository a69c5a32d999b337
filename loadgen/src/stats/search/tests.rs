use super::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::convert::Infallible;

const PLAN: Plan = Plan {
    start: 10_000.0,
    rate_max: 20e6,
    precision: 0.02,
    edge_probes_min: 12,
    edge_probes_max: 40,
};

fn found(plan: &Plan, mut server: impl FnMut(f64) -> Outcome) -> Found {
    search(plan, |rate, _| Ok::<_, Infallible>(server(rate))).unwrap()
}

fn outcome(kept: bool) -> Outcome {
    Outcome {
        excess: if kept { 0.01 } else { 90.0 },
        client_limited: false,
    }
}

#[test]
fn a_server_with_a_cliff_is_found_to_the_precision() {
    for capacity in [50.0, 900.0, 10_000.0, 123_456.0, 1_320_000.0] {
        let found = found(&PLAN, |rate| outcome(rate <= capacity));
        let (low, high) = found.interval;
        assert!(
            found.settled && low <= capacity && capacity <= high,
            "{found:?}"
        );
        assert!(high / low < 1.04, "{capacity}: {found:?}");
    }
}

#[test]
fn one_disturbed_probe_in_ten_does_no_harm() {
    let mut probes = 0;
    let capacity = 300_000.0;
    let found = found(&PLAN, |rate| {
        probes += 1;
        outcome(rate <= capacity && probes % 10 != 0)
    });
    let (low, high) = found.interval;
    assert!(low <= capacity && capacity <= high, "{found:?}");
    assert!(probes < 60, "{probes}");
}

#[test]
fn a_server_that_is_all_noise_gets_no_narrow_interval() {
    let mut rng = SmallRng::seed_from_u64(3);
    let found = found(&PLAN, |_| Outcome {
        excess: 10f64.powf(rng.random_range(-1.0..1.0)),
        client_limited: false,
    });
    assert!(!found.settled, "{found:?}");
}

#[test]
fn a_client_that_is_the_limit_is_said_so_and_only_then() {
    let limited = |client_limited| {
        found(&PLAN, |rate| Outcome {
            client_limited: client_limited && rate > 200_000.0,
            ..outcome(rate <= 200_000.0)
        })
        .client_limited
    };
    assert!(limited(true) && !limited(false));
    // The client was limited far above the edge, on the way to it: that does not matter.
    let far = found(&PLAN, |rate| Outcome {
        client_limited: rate > 400_000.0,
        ..outcome(rate <= 200_000.0)
    });
    assert!(!far.client_limited);
}

#[test]
fn nothing_passes_or_everything_does() {
    let none = found(&PLAN, |_| outcome(false));
    assert_eq!((none.capacity, none.interval), (None, (0.0, RATE_MIN)));
    let all = found(&PLAN, |_| outcome(true));
    assert_eq!(all.capacity, Some(20e6));
    assert!(all.interval.1.is_infinite() && !all.client_limited);
}

#[test]
fn an_error_of_a_probe_ends_the_search() {
    assert_eq!(search(&PLAN, |_, _| Err("gone")), Err("gone"));
}

//! Finding the highest rate that passes: climb by doubling, then bisect, with repeats near the edge.
//!
//! A noisy neighbour fails a probe, a lucky gap passes one. So a rate fails only if two probes do, and near the edge it
//! passes if `pass` of `repeats` probes do. A probe during which the client was the limit says nothing about the
//! server: the search stops there and says so.

/// What a probe at some rate showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The objective was kept.
    Kept,
    /// It was not.
    Missed,
    /// The client was the limit.
    ClientLimited,
}

/// The parameters of a search.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rate of the first probe.
    pub start: f64,
    /// No probe goes above.
    pub rate_max: f64,
    /// Stop when the bounds are this close, as a share of the lower.
    pub precision: f64,
    /// Probes that must pass near the edge ...
    pub pass: usize,
    /// ... of this many.
    pub repeats: usize,
}

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Found {
    /// The highest rate that passed.
    pub kept: Option<f64>,
    /// The lowest rate above it that did not.
    pub missed: Option<f64>,
    /// The client was the limit at some rate: the server may do more.
    pub client_limited: bool,
}

/// No search goes below this rate.
const RATE_MIN: f64 = 10.0;

/// Bounds closer than this many times the precision are "near the edge".
const EDGE_WIDTH: f64 = 5.0;

/// Searches with `probe`, which measures at a rate. Its errors end the search, and `found` holds what was known by then.
pub fn search<E>(
    plan: &Plan,
    found: &mut Found,
    mut probe: impl FnMut(f64) -> Result<Outcome, E>,
) -> Result<(), E> {
    climb(plan, found, &mut probe)?;
    descend(plan, found, &mut probe)?;
    while let (Some(low), Some(high)) = (found.kept, found.missed) {
        let width = high / low - 1.0;
        if width <= plan.precision {
            break;
        }
        let middle = (low * high).sqrt();
        let near = width <= EDGE_WIDTH * plan.precision;
        let outcome = if near {
            repeated(plan, middle, &mut probe)?
        } else {
            confirmed(middle, &mut probe)?
        };
        found.note(middle, outcome);
    }
    Ok(())
}

impl Found {
    fn note(&mut self, rate: f64, outcome: Outcome) {
        match outcome {
            Outcome::Kept => self.kept = Some(rate),
            Outcome::Missed => self.missed = Some(rate),
            Outcome::ClientLimited => {
                self.missed = Some(rate);
                self.client_limited = true;
            }
        }
    }
}

fn climb<E>(
    plan: &Plan,
    found: &mut Found,
    probe: &mut impl FnMut(f64) -> Result<Outcome, E>,
) -> Result<(), E> {
    let mut rate = plan.start.clamp(RATE_MIN, plan.rate_max);
    while found.missed.is_none() && found.kept.is_none_or(|kept| kept < plan.rate_max) {
        let outcome = confirmed(rate, probe)?;
        found.note(rate, outcome);
        rate = (rate * 2.0).min(plan.rate_max);
    }
    Ok(())
}

fn descend<E>(
    plan: &Plan,
    found: &mut Found,
    probe: &mut impl FnMut(f64) -> Result<Outcome, E>,
) -> Result<(), E> {
    let mut rate = plan.start / 4.0;
    while found.kept.is_none() && rate >= RATE_MIN {
        let outcome = probe(rate)?;
        found.note(rate, outcome);
        rate /= 4.0;
    }
    Ok(())
}

/// Probes, and once more if the first probe failed: one disturbed probe must not cut the range.
fn confirmed<E>(
    rate: f64,
    probe: &mut impl FnMut(f64) -> Result<Outcome, E>,
) -> Result<Outcome, E> {
    match probe(rate)? {
        Outcome::Kept => Ok(Outcome::Kept),
        _ => probe(rate),
    }
}

/// Repeats a probe until enough have passed or too many have not.
fn repeated<E>(
    plan: &Plan,
    rate: f64,
    probe: &mut impl FnMut(f64) -> Result<Outcome, E>,
) -> Result<Outcome, E> {
    let (mut kept, mut failed) = (0, 0);
    let mut last_failure = Outcome::Missed;
    loop {
        match probe(rate)? {
            Outcome::Kept => kept += 1,
            failure => {
                failed += 1;
                last_failure = failure;
            }
        }
        if kept >= plan.pass {
            return Ok(Outcome::Kept);
        }
        if failed > plan.repeats.saturating_sub(plan.pass) {
            return Ok(last_failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const PLAN: Plan = Plan {
        start: 10_000.0,
        rate_max: 20e6,
        precision: 0.02,
        pass: 2,
        repeats: 3,
    };

    fn found(plan: &Plan, mut server: impl FnMut(f64) -> Outcome) -> Found {
        let mut found = Found::default();
        search(plan, &mut found, |rate| Ok::<_, Infallible>(server(rate))).unwrap();
        found
    }

    fn limit(capacity: f64) -> impl FnMut(f64) -> Outcome {
        move |rate| {
            if rate <= capacity {
                Outcome::Kept
            } else {
                Outcome::Missed
            }
        }
    }

    #[test]
    fn known_capacities_are_found_to_the_precision() {
        for capacity in [50.0, 900.0, 10_000.0, 123_456.0, 1_320_000.0] {
            let kept = found(&PLAN, limit(capacity)).kept.unwrap();
            assert!(
                kept <= capacity && kept >= capacity * 0.98,
                "{capacity}: {kept}"
            );
        }
    }

    #[test]
    fn one_disturbed_probe_in_five_does_no_harm() {
        let mut probes = 0;
        let capacity = 300_000.0;
        let kept = found(&PLAN, |rate| {
            probes += 1;
            if probes % 5 == 0 || rate > capacity {
                Outcome::Missed
            } else {
                Outcome::Kept
            }
        })
        .kept
        .unwrap();
        assert!(kept >= capacity * 0.9 && kept <= capacity, "{kept}");
        assert!(probes < 40, "{probes}");
    }

    #[test]
    fn a_client_that_is_the_limit_is_said_so() {
        let result = found(&PLAN, |rate| {
            if rate > 200_000.0 {
                Outcome::ClientLimited
            } else {
                Outcome::Kept
            }
        });
        assert!(result.client_limited && result.kept.unwrap() <= 200_000.0);
    }

    #[test]
    fn nothing_passes_or_everything_does() {
        assert_eq!(found(&PLAN, |_| Outcome::Missed).kept, None);
        let result = found(&PLAN, |_| Outcome::Kept);
        assert_eq!((result.kept, result.missed), (Some(20e6), None));
    }
}

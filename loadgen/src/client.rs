//! How much of what a measurement shows can be the client's own doing.

use crate::measurement::Measurement;
use crate::report::model::Verdict;
use crate::slo::{Facts, Slo};
use crate::stats::edge::EXCESS_MAX;
use hdrhistogram::Histogram;

/// A worker that is busy for more than this share of its time is a limit: replies lie unread while it works.
pub const BUSY_SHARE_MAX: f64 = 0.85;

/// What the measurement shows over what the objective allows ([`Slo::excess`]). A load that was not sustained keeps no
/// objective.
#[must_use]
pub fn excess(measurement: &Measurement, verdict: &Verdict, slo: &Slo) -> f64 {
    let response = measurement.total.all_verbs().response;
    let excess = excess_of(&response, measurement, verdict, slo);
    if verdict.overloaded.is_some() {
        excess.max(EXCESS_MAX)
    } else {
        excess
    }
}

/// Whether an objective that was missed would have been kept without the client's own lateness, or a worker was busy all
/// the time.
#[must_use]
pub fn explains(measurement: &Measurement, verdict: &Verdict, slo: &Slo) -> bool {
    let without = excess_of(&measurement.total.net, measurement, verdict, slo);
    let late = verdict.overloaded.is_none() && without <= 1.0;
    late || measurement.busiest() > BUSY_SHARE_MAX
}

fn excess_of(
    response: &Histogram<u64>,
    measurement: &Measurement,
    verdict: &Verdict,
    slo: &Slo,
) -> f64 {
    let counts = measurement.total.all_verbs().counts;
    let asked = counts.hits + counts.misses;
    slo.excess(&Facts {
        response,
        errors: verdict.error_share,
        lost: verdict.lost_total(),
        misses: (asked > 0).then(|| counts.misses as f64 / asked as f64),
    })
}

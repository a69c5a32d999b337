//! The client's own part of a measurement: how much of each percentile it can explain.
//!
//! Two histograms bound the client's part. The first has the response times. The second has the response times without
//! the client's known part of each: how late the request left, and how long its reply can have lain unread
//! (`Interval::net`). Two delays are not known request by request: a reply that woke a worker while other threads had
//! its CPU, and time that a hypervisor took. Such a delay can have touched no larger share of the requests than its
//! share of the time. If that share is `e`, the server's own quantile `q` is at least the quantile `q - e` of the
//! second histogram, so the shown quantile exceeds the server's own by at most the difference.
//!
//! Not counted are the kernel's part of sending and receiving, and the wake-up of an idle CPU (some 25 us), which every
//! sleeping client has (`--wait spin` does not sleep). Nor is the effect on the server's queue of requests that left
//! late and together.

use crate::measurement::{BUSY_SHARE_MAX, Measurement};
use crate::report::model::{ClientGrade, ClientShare, ClientVerdict, Verdict};
use crate::slo::{Facts, Metric, Slo};
use crate::stats::edge::EXCESS_MAX;
use crate::units::{format_ns, format_share};
use hdrhistogram::Histogram;

/// Up to this share of a percentile the client's part does not matter ...
const SHARE_FINE: f64 = 0.10;
/// ... nor up to this time, whatever the percentile.
const FINE_NS: u64 = 5_000;
/// Above this share of a percentile, it describes the client.
const SHARE_MAX: f64 = 0.50;
/// Time in which other threads had a worker's CPU is named as a cause from this share on.
const TAKEN_SHARE_NOTED: f64 = 0.005;
/// A percentile with fewer requests above it is no reason for a grade.
const REQUESTS_ABOVE_MIN: f64 = 10.0;
/// The percentiles of the reports.
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.99, 0.999, 0.9999, 1.0];
/// The grade looks at the percentiles up to this one, and at those of the objective.
const GRADED_MAX: f64 = 0.99;

/// How much of each percentile can be the client's part, and the remedies.
#[must_use]
pub fn judge(measurement: &Measurement, slo: Option<&Slo>) -> ClientVerdict {
    let response = measurement.total.all_verbs().response;
    let taken = taken_share(measurement);
    let shares: Vec<ClientShare> = if response.is_empty() {
        Vec::new()
    } else {
        QUANTILES
            .iter()
            .map(|&quantile| share(&response, &measurement.total.net, quantile, taken))
            .collect()
    };
    let in_objective = |quantile: f64| {
        slo.is_some_and(|slo| {
            // Percentages such as 99.9 are not exact in binary.
            slo.conditions().iter().any(|condition| {
                matches!(condition.metric, Metric::Quantile(asked) if (asked - quantile).abs() < 1e-9)
            })
        })
    };
    let graded = shares.iter().filter(|share| {
        let above = response.len() as f64 * (1.0 - share.quantile);
        (share.quantile <= GRADED_MAX || in_objective(share.quantile))
            && above >= REQUESTS_ABOVE_MIN
    });
    let worst = graded.map(ClientShare::grade).max();
    let grade = if measurement.busiest() > BUSY_SHARE_MAX {
        ClientGrade::Limited
    } else {
        worst.unwrap_or(ClientGrade::Ok)
    };
    let causes = causes(measurement, grade, &shares);
    ClientVerdict {
        grade,
        shares,
        causes,
    }
}

fn share(
    response: &Histogram<u64>,
    net: &Histogram<u64>,
    quantile: f64,
    taken: f64,
) -> ClientShare {
    let shown_ns = response.value_at_quantile(quantile);
    let without_ns = net.value_at_quantile((quantile - taken).max(0.0));
    ClientShare {
        quantile,
        shown_ns,
        ours_ns: shown_ns.saturating_sub(without_ns),
    }
}

/// The share of the workers' time in which others had their CPUs.
fn taken_share(measurement: &Measurement) -> f64 {
    measurement.delayed().unwrap_or(0.0) + stolen_share(measurement)
}

fn stolen_share(measurement: &Measurement) -> f64 {
    let stolen_ns = measurement.stolen_ns.unwrap_or(0);
    stolen_ns as f64 / measurement.measured.wall_ns.max(1) as f64
}

impl ClientShare {
    fn grade(&self) -> ClientGrade {
        let part = self.ours_ns as f64 / self.shown_ns.max(1) as f64;
        match part {
            _ if self.ours_ns <= FINE_NS => ClientGrade::Ok,
            part if part <= SHARE_FINE => ClientGrade::Ok,
            part if part <= SHARE_MAX => ClientGrade::Shows,
            _ => ClientGrade::Limited,
        }
    }
}

/// The causes of the client's lateness, each with its remedy.
fn causes(measurement: &Measurement, grade: ClientGrade, shares: &[ClientShare]) -> Vec<String> {
    let mut causes = Vec::new();
    if grade == ClientGrade::Ok {
        return causes;
    }
    let busiest = measurement.busiest();
    if busiest > BUSY_SHARE_MAX {
        causes.push(format!(
            "a worker was {} busy (at most {}): give it more --cpus",
            format_share(busiest),
            format_share(BUSY_SHARE_MAX)
        ));
    }
    let delayed = measurement.delayed().unwrap_or(0.0);
    if delayed > TAKEN_SHARE_NOTED {
        causes.push(format!(
            "other threads had the workers' CPUs for {} of the time: keep these CPUs free, or give others with --cpus",
            format_share(delayed)
        ));
    }
    let stolen = stolen_share(measurement);
    if stolen > TAKEN_SHARE_NOTED {
        causes.push(format!(
            "the hypervisor took the workers' CPUs for {} of the time: measure from a machine that is not shared",
            format_share(stolen)
        ));
    }
    if causes.is_empty() {
        causes.push(lateness(measurement, shares));
    }
    causes
}

/// The cause where no other thread had the CPUs: requests left late, or replies were not looked for.
fn lateness(measurement: &Measurement, shares: &[ClientShare]) -> String {
    let slip_ns = measurement.total.all_verbs().slip.value_at_quantile(0.99);
    let ours_ns = shares
        .iter()
        .find(|share| (share.quantile - 0.99).abs() < 1e-9)
        .map_or(0, |share| share.ours_ns);
    if slip_ns >= ours_ns / 2 {
        format!(
            "requests left {} late at p99: an idle CPU is slow to wake up, --wait spin keeps it awake",
            format_ns(slip_ns as f64)
        )
    } else {
        "replies lay unread while the worker was busy with others: give it more --cpus".to_owned()
    }
}

/// The excess of a measurement: the measured figure over the allowed one ([`Slo::excess`]). A load that was not
/// sustained keeps no objective.
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

/// Whether an objective that was missed would have been kept without the client's own lateness, or a worker was busy
/// all the time.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Load;
    use crate::record::{Interval, Latencies, Stage};
    use crate::worker::arrivals::ArrivalKind;
    use crate::workload::verb::Verb;
    use std::time::Duration;

    const SECOND_NS: u64 = 1_000_000_000;

    /// One second of a server that answers in 300 us, and one in 50 requests in 1 ms; each request is `own_ns` late
    /// because of the client. Others had its CPU for a part of the time.
    fn measured(own_ns: impl Fn(u64) -> u64, delay_ns: u64, cpu_ns: u64) -> Measurement {
        let load = Load {
            rate: Some(10_000.0),
            arrivals: ArrivalKind::Poisson,
            depth: 64,
            in_flight_max: 100,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(1),
            interval: Duration::from_secs(1),
        };
        let mut interval = Interval::new(&[Verb::Get]);
        interval.stage = Stage::Measure;
        for number in 0..10_000u64 {
            let server_ns = if number % 50 == 0 { 1_000_000 } else { 300_000 };
            let own_ns = own_ns(number);
            interval.class(Verb::Get).record(&Latencies {
                response_ns: server_ns + own_ns,
                service_ns: server_ns,
                slip_ns: own_ns,
            });
            interval.class(Verb::Get).counts.completed += 1;
            interval.net.saturating_record(server_ns);
        }
        interval.end_ns = SECOND_NS;
        interval.totals.wall_ns = SECOND_NS;
        interval.totals.cpu_ns = cpu_ns;
        interval.totals.delay_ns = delay_ns;
        interval.totals.completed = 10_000;
        let mut measurement = Measurement::new(&load, 1, 0);
        measurement.add(0, &interval);
        measurement
    }

    fn share_at(verdict: &ClientVerdict, quantile: f64) -> ClientShare {
        let mut shares = verdict.shares.iter();
        *shares.find(|share| share.quantile == quantile).unwrap()
    }

    #[test]
    fn a_client_in_time_is_fine_even_below_a_millisecond() {
        let verdict = judge(&measured(|_| 2_000, 0, SECOND_NS / 5), None);
        assert_eq!(verdict.grade, ClientGrade::Ok);
        assert!(verdict.causes.is_empty());
        assert!(share_at(&verdict, 0.99).ours_ns <= 4_000, "{verdict:?}");
    }

    #[test]
    fn the_part_of_each_percentile_is_bounded() {
        let verdict = judge(&measured(|_| 60_000, 0, SECOND_NS / 5), None);
        let p50 = share_at(&verdict, 0.5);
        assert!((59_000..61_500).contains(&p50.ours_ns), "{p50:?}");
        assert_eq!(verdict.grade, ClientGrade::Shows);
        assert!(verdict.causes[0].contains("--wait spin"), "{verdict:?}");
        // The slow ones were not late: their percentile is the server's.
        let late_medians = |number| if number % 50 == 0 { 0 } else { 60_000 };
        let verdict = judge(&measured(late_medians, 0, SECOND_NS / 5), None);
        assert!(share_at(&verdict, 0.99).ours_ns < 2_000, "{verdict:?}");
        let verdict = judge(&measured(|_| 900_000, 0, SECOND_NS / 5), None);
        assert_eq!(verdict.grade, ClientGrade::Limited);
    }

    #[test]
    fn what_others_took_can_have_touched_its_share_of_the_requests() {
        let verdict = judge(&measured(|_| 0, SECOND_NS / 40, SECOND_NS / 5), None);
        // 2.5% of the requests may have been delayed: the 2% that took 1 ms, too.
        assert!(share_at(&verdict, 0.99).ours_ns > 690_000, "{verdict:?}");
        assert!(share_at(&verdict, 0.5).ours_ns < 1_000, "{verdict:?}");
        assert_eq!(verdict.grade, ClientGrade::Limited);
        assert!(
            verdict.causes[0].contains("2.50% of the time"),
            "{verdict:?}"
        );
    }

    #[test]
    fn a_busy_worker_is_a_limit_whatever_the_percentiles() {
        let verdict = judge(&measured(|_| 0, 0, SECOND_NS / 10 * 9), None);
        assert_eq!(verdict.grade, ClientGrade::Limited);
        assert!(verdict.causes[0].contains("90.0% busy"), "{verdict:?}");
    }

    #[test]
    fn rare_percentiles_count_where_the_objective_asks_for_them() {
        let rare = |number| if number % 500 == 0 { 5_000_000 } else { 0 };
        let measurement = measured(rare, 0, SECOND_NS / 5);
        assert_eq!(judge(&measurement, None).grade, ClientGrade::Ok);
        let slo: Slo = "p99.9<2ms".parse().unwrap();
        assert_eq!(judge(&measurement, Some(&slo)).grade, ClientGrade::Limited);
        let verdict = crate::verdict::judge(&measurement, Some(&slo));
        assert!(excess(&measurement, &verdict, &slo) > 1.0);
        assert!(explains(&measurement, &verdict, &slo));
        let of_server: Slo = "p99<500us".parse().unwrap();
        assert!(!explains(&measurement, &verdict, &of_server));
    }
}

//! Judging a measurement: was the client the limit, was the load sustained, were the values right, is the objective
//! kept. A reader must know these answers before looking at a number.

use crate::client;
use crate::measurement::Measurement;
use crate::record::{Counts, NoReply};
use crate::report::build::incidents;
use crate::report::model::{ClientGrade, Verdict};
use crate::slo::{Facts, Slo};
use crate::units::{format_count, format_ns, format_share};
use crate::wire::reply::ErrorKind;
use crate::worker::verify::Violation;
use std::collections::BTreeMap;

/// Requests still due at the end, as a share of all that were due, that make a run overloaded.
const UNSENT_SHARE_MAX: f64 = 0.001;
/// How far the schedule may be behind at the end, as a share of the time measured.
const LAG_SHARE_MAX: f64 = 0.05;
/// Requests that had to wait for a free connection are worth a note from this share on.
const HELD_SHARE_NOTED: f64 = 0.01;

/// Judges a measurement.
#[must_use]
pub fn judge(measurement: &Measurement, slo: Option<&Slo>) -> Verdict {
    let all = measurement.total.all_verbs();
    let failed = all.counts.errors_total() + all.counts.no_reply_total();
    let due = (all.counts.completed + all.counts.no_reply_total()).max(1);
    let error_share = failed as f64 / due as f64;
    let asked = all.counts.hits + all.counts.misses;
    let count = |reason: NoReply| all.counts.no_reply[reason as usize];
    let facts = Facts {
        response: &all.response,
        errors: error_share,
        lost: count(NoReply::Lost) + count(NoReply::Unconnected),
        misses: (asked > 0).then(|| all.counts.misses as f64 / asked as f64),
    };
    // An objective without a limit on errors gets one: requests that fail must not count as kept.
    let slo = slo.map(|slo| slo.clone().with_errors_bounded());
    let client = client::judge(measurement, slo.as_ref());
    Verdict {
        client_limited: if client.grade == ClientGrade::Limited {
            client.causes.clone()
        } else {
            Vec::new()
        },
        client,
        no_reply: named(
            NoReply::ALL.iter().map(|reason| reason.name()),
            &all.counts.no_reply,
        ),
        incidents: incidents(measurement),
        overloaded: overload(measurement, &all.counts, due),
        violations: named(
            Violation::ALL.iter().map(|violation| violation.name()),
            &measurement.end.violations,
        ),
        violation_examples: measurement.end.violation_examples.clone(),
        errors: named(
            ErrorKind::ALL.iter().map(|kind| kind.name()),
            &all.counts.errors,
        ),
        error_examples: measurement.end.error_examples.clone(),
        error_share,
        slo: slo.as_ref().map(ToString::to_string),
        slo_missed: slo.map(|slo| slo.missed(&facts)).unwrap_or_default(),
        notes: notes(measurement),
    }
}

fn named<'a>(names: impl Iterator<Item = &'a str>, counts: &[u64]) -> BTreeMap<String, u64> {
    names
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| (name.to_owned(), *count))
        .collect()
}

fn overload(measurement: &Measurement, counts: &Counts, due: u64) -> Option<String> {
    let count = |reason: NoReply| counts.no_reply[reason as usize];
    let took = format!(
        "the server took {}/s of {}/s",
        format_count(measurement.achieved()),
        format_count(measurement.rate.unwrap_or_default())
    );
    let unsent = count(NoReply::Unsent);
    if unsent as f64 > UNSENT_SHARE_MAX * due as f64 {
        return Some(format!(
            "{} of {} requests were due and still unsent at the end: {took}",
            format_count(unsent as f64),
            format_count(due as f64),
        ));
    }
    // A schedule that is behind because a server fell silent does not show an overload.
    let is_silent = count(NoReply::Lost) + count(NoReply::Unconnected) > 0;
    let lag_ns = measurement.lag_ns;
    if !is_silent && lag_ns as f64 / 1e9 > LAG_SHARE_MAX * measurement.seconds {
        return Some(format!(
            "the schedule was {} behind at the end: {took}",
            format_ns(lag_ns as f64),
        ));
    }
    let overdue = count(NoReply::Overdue);
    (overdue > 0)
        .then(|| format!("{overdue} requests had no reply one second after the last was due"))
}

fn notes(measurement: &Measurement) -> Vec<String> {
    let totals = &measurement.measured;
    let mut notes = Vec::new();
    let held_share = totals.held as f64 / totals.due.max(1) as f64;
    if held_share > HELD_SHARE_NOTED {
        notes.push(format!(
            "{} of requests were due while their connection was full and waited (that is in their response time); more --connections or --depth change it",
            format_share(held_share)
        ));
    }
    if measurement.end.estimated > 0 {
        notes.push(format!(
            "{} requests that were never sent are counted by the rate of the schedule: how many there were of each verb is an estimate",
            format_count(measurement.end.estimated as f64)
        ));
    }
    if measurement.rate.is_none() {
        notes.push("closed loop: requests wait for replies, so these latencies hide the queueing that users would see".to_owned());
    }
    notes
}

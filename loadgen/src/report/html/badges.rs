//! The labels of verdicts.

use super::parts::Badge;
use crate::report::model::{ClientGrade, Verdict};
use crate::report::text::{client_line, grade_name, incident_line, lost};
use std::collections::BTreeMap;

/// The labels of one measurement's verdict.
pub(super) fn verdict_badges(verdict: &Verdict, busiest: f64) -> Vec<Badge> {
    let badge = |class, name, text| Badge { class, name, text };
    let mut badges: Vec<Badge> = Vec::new();
    let class = match verdict.client.grade {
        ClientGrade::Ok => "good",
        ClientGrade::Shows => "note",
        ClientGrade::Limited => "bad",
    };
    let name = grade_name(verdict.client.grade);
    let line = client_line(&verdict.client, busiest);
    badges.push(badge(class, name, line));
    let causes = verdict.client.causes.iter();
    badges.extend(causes.map(|why| badge(class, name, why.clone())));
    if verdict.lost_total() > 0 {
        badges.push(badge("bad", "LOST", lost(verdict)));
    }
    badges.extend(
        verdict
            .incidents
            .iter()
            .map(|incident| badge("bad", "CONNECTION LOST", incident_line(incident))),
    );
    badges.extend(
        verdict
            .overloaded
            .iter()
            .map(|why| badge("bad", "OVERLOADED", why.clone())),
    );
    badges.extend(violation_badge(&verdict.violations));
    if !verdict.errors.is_empty() {
        badges.push(badge("bad", "ERRORS", counts(&verdict.errors)));
    }
    match (&verdict.slo, verdict.slo_missed.is_empty()) {
        (Some(slo), true) => badges.push(badge("good", "OBJECTIVE KEPT", slo.clone())),
        (Some(_), false) => badges.push(badge(
            "bad",
            "OBJECTIVE MISSED",
            verdict.slo_missed.join("; "),
        )),
        (None, _) => {}
    }
    badges.extend(
        verdict
            .notes
            .iter()
            .map(|note| badge("note", "NOTE", note.clone())),
    );
    badges
}

/// The label of wrong data, if there was any.
pub(super) fn violation_badge(violations: &BTreeMap<String, u64>) -> Option<Badge> {
    let badge = Badge {
        class: "bad",
        name: "WRONG DATA",
        text: counts(violations),
    };
    Some(badge).filter(|_| violations.values().sum::<u64>() > 0)
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} x {name}"))
        .collect();
    parts.join(", ")
}

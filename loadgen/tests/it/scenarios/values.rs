//! Replies that are lost, repeated, or hold another key's value.

use super::{Row, incident_words, only_incident, run};
use crate::bed::{Action, Bed};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// On few connections, so that requests follow the one whose reply is tampered with.
const FEW: [&str; 8] = ["-r", "2k", "-d", "2s", "-c", "2", "--depth", "64"];

fn shifted(server: &'static str, truth: &str, tamper: fn(Vec<u8>) -> Action) -> Row {
    let bed = Bed::start(move |_, get| match get.number {
        1000 => tamper(get.right),
        _ => Action::Bytes(get.right),
    });
    let (exit, run) = run(&bed.address, &FEW);
    let incident = only_incident(&run);
    Row::new(
        server,
        truth.to_owned(),
        format!(
            "{}; {} wrong values",
            incident_words(&run),
            run.verdict.violations_total()
        ),
    )
    .expect("exit 4", exit == 4)
    .expect(
        "one shift with an example",
        incident.is_some_and(|incident| {
            incident.kind == "shifted replies"
                && incident.count == 1
                && (incident.example.contains("was answered with the value of")
                    || incident.example.contains("nothing was asked for"))
        }),
    )
    .expect("no wrong values", run.verdict.violations_total() == 0)
    .expect("the rest goes on", run.all.completed > 3000)
}

pub(crate) fn one_lost_reply() -> Row {
    shifted(
        "drops the reply to get 1000; depth 64",
        "1 lost, the later ones shifted",
        |_| Action::Silence,
    )
}

pub(crate) fn one_repeated_reply() -> Row {
    shifted(
        "sends the reply to get 1000 twice",
        "1 too many, the later ones shifted",
        |right| Action::Bytes([right.as_slice(), right.as_slice()].concat()),
    )
}

/// Each 50th get brings another key's value, in turns under that key's name and under the right one.
pub(crate) fn corrupt_values() -> Row {
    let corrupted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&corrupted);
    let bed = Bed::start(move |line, get| {
        if get.number % 50 != 25 {
            return Action::Bytes(get.right);
        }
        counter.fetch_add(1, Ordering::SeqCst);
        let other = get.items.another(line.key());
        let named = match get.number % 100 {
            25 => other.as_str(),
            _ => line.key(),
        };
        Action::Bytes(get.items.value(&other, named))
    });
    let (exit, run) = run(&bed.address, &FEW);
    let corrupted = corrupted.load(Ordering::SeqCst);
    let said = run.verdict.violations_total();
    Row::new(
        "answers 2% of gets with another key's value",
        format!("{corrupted} wrong values, no shift"),
        format!(
            "{said} wrong values, {} connections opened anew",
            run.verdict.incidents.len()
        ),
    )
    .expect("exit 5", exit == 5)
    .expect("as many", said == corrupted)
    .expect("no shift", run.verdict.incidents.is_empty())
    .expect("examples", !run.verdict.violation_examples.is_empty())
}

//! The servers that loadgen is tested against: their behaviour is known, and each has its truth and what loadgen must
//! say. [`crate::honesty`] checks each as a test, [`crate::truth`] prints them all as a table.
//!
//! ```text
//!   scripted server (crate::bed) <- loadgen, the binary
//!     its log: the truth               its report: what it says       -> Row { server, truth, says, wrong }
//! ```

pub(crate) mod failures;
pub(crate) mod machine;
pub(crate) mod spread;
pub(crate) mod values;

use crate::judgements;
use crate::support::{ensure, json, run_of};
use loadgen::report::model::{IncidentReport, RunResult};

/// One server, the truth, and loadgen's words.
pub(crate) struct Row {
    /// The behaviour of the server.
    pub(crate) server: &'static str,
    /// The truth, from the server's side.
    pub(crate) truth: String,
    /// The statement of loadgen.
    pub(crate) says: String,
    /// The differences between the two.
    pub(crate) wrong: Vec<String>,
}

impl Row {
    pub(crate) fn new(server: &'static str, truth: String, says: String) -> Self {
        Self {
            server,
            truth,
            says,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn expect(mut self, what: &str, holds: bool) -> Self {
        if !holds {
            self.wrong.push(what.to_owned());
        }
        self
    }

    /// An error unless all agrees.
    pub(crate) fn result(&self) -> Result<(), String> {
        let Self { truth, says, .. } = self;
        ensure(self.wrong.is_empty(), || {
            format!("{:?}; truth: {truth}; loadgen: {says}", self.wrong)
        })
    }

    /// Fails unless all agrees.
    pub(crate) fn check(&self) {
        if let Err(why) = self.result() {
            panic!("{why}");
        }
    }
}

/// A scenario.
pub(crate) type Scenario = fn() -> Row;

/// All of them, in the order of the table.
pub(crate) const ALL: &[Scenario] = &[
    spread::poisson_spreads,
    spread::uniform_takes_turns,
    spread::three_servers_spread,
    spread::slow_replies_delay_their_own_connection,
    spread::more_due_than_can_be_sent,
    failures::a_stopped_server,
    failures::dropped_replies,
    failures::refused_sets,
    failures::one_connection_closed,
    failures::one_server_of_three_killed,
    failures::a_malformed_reply,
    values::one_lost_reply,
    values::one_repeated_reply,
    values::corrupt_values,
    machine::replies_after_the_last_window,
    machine::terminated,
    machine::server_cpu,
    machine::crowded_client,
    judgements::search_in_virtual_time,
    judgements::compare_with_a_slower_one,
    judgements::scan_above_the_objective,
    judgements::plan_for_a_hot_key,
];

/// Small and quick, all keys set first.
const QUICK: [&str; 6] = ["--keys", "500", "--key-dist", "uniform", "--warmup", "0s"];

/// Runs a mix against a server and gives the exit code and the result.
fn run_mix(servers: &str, mix: &str, more: &[&str]) -> (i32, RunResult) {
    let target = ["run", "-s", servers, "--mix", mix];
    let (exit, report) = json(&[&target[..], &QUICK, more].concat());
    (exit, run_of(report))
}

/// Runs loadgen with gets only: exit code and report.
fn run(servers: &str, more: &[&str]) -> (i32, RunResult) {
    run_mix(servers, "get", more)
}

fn preloaded(run: &RunResult) -> u64 {
    run.preload.as_ref().map_or(0, |preload| preload.keys)
}

fn range(counts: &[u64]) -> (u64, u64) {
    let lowest = counts.iter().min().copied().unwrap_or(0);
    (lowest, counts.iter().max().copied().unwrap_or(0))
}

fn ms(ns: Option<u64>) -> f64 {
    ns.map_or(f64::NAN, |ns| ns as f64 / 1e6)
}

fn only_incident(run: &RunResult) -> Option<&IncidentReport> {
    match run.verdict.incidents.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

fn incident_words(run: &RunResult) -> String {
    let words = |incident: &IncidentReport| {
        format!(
            "{} x {} at {:.1} s, {} reopened",
            incident.count, incident.kind, incident.first_s, incident.reopened
        )
    };
    let all: Vec<String> = run.verdict.incidents.iter().map(words).collect();
    all.join("; ")
}

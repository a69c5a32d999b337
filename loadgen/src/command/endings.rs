//! How a command ends: its exit code, and an end that comes early.

use crate::cli::options::Strictness;
use crate::error::{Exit, LoadError, Result};
use crate::report::model::{Step, Verdict};
use std::collections::BTreeMap;

/// The exit code that several measurements call for, if they call for one.
pub(super) fn steps_exit(violations: &BTreeMap<String, u64>, steps: &[Step]) -> Option<Exit> {
    let is_lossy = |step: &Step| step.lost > 0 || !step.incidents.is_empty();
    violations_exit(violations).or_else(|| steps.iter().any(is_lossy).then_some(Exit::ServerLost))
}

/// Measurements without a single reply in a row after which a command does not go on.
const SILENT_MAX: usize = 2;

/// An error if the servers do not answer any more.
pub(super) fn check_answered(steps: &[Step]) -> Result<()> {
    let silent = steps.iter().rev().take_while(|step| step.achieved == 0.0);
    if silent.count() >= SILENT_MAX {
        return Err(LoadError::new(
            Exit::ServerLost,
            format!("{SILENT_MAX} measurements in a row had no reply"),
        ));
    }
    Ok(())
}

/// Lets a command of several measurements that ended early report the measurements it has, say that it ended early, and
/// fail.
pub(super) fn cut_short(error: &LoadError, headline: &mut String, exit: &mut Exit) {
    *headline = format!("CUT SHORT ({error}): {headline}");
    if *exit == Exit::Ok {
        *exit = error.exit();
    }
}

/// The exit code of wrong data, if there was any.
fn violations_exit(violations: &BTreeMap<String, u64>) -> Option<Exit> {
    (violations.values().sum::<u64>() > 0).then_some(Exit::Violations)
}

/// A run in which more requests than this were refused has failed, strict or not.
const MOSTLY_FAILED: f64 = 0.5;

/// The exit code that a verdict calls for.
pub(super) fn exit_code(verdict: &Verdict, strictness: Strictness) -> Exit {
    if verdict.violations_total() > 0 {
        return Exit::Violations;
    }
    if !verdict.errors.is_empty() && verdict.error_share > MOSTLY_FAILED {
        return Exit::Strict;
    }
    if strictness == Strictness::Strict
        && (!verdict.client_limited.is_empty()
            || verdict.overloaded.is_some()
            || verdict.error_share > 0.0)
    {
        return Exit::Strict;
    }
    match (verdict.slo_missed.is_empty(), verdict.has_losses()) {
        (false, _) => Exit::SloMissed,
        (true, true) => Exit::ServerLost,
        (true, false) => Exit::Ok,
    }
}

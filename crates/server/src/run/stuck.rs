//! The report about shards that do not end with the process: what each one is doing, as far as others can see it.
//!
//! ```text
//!   shard 3 is parked: asleep, 0 turns in the last second, 2 connections, engine at rest, mail, ...
//! ```

use std::fmt::Write;

use corecached_mesh::Holder;

use crate::base::counters::Group;
use crate::ids::ShardId;
use crate::route::stage::Stage;
use crate::shared::Shared;

/// The turns that each shard had made when the second began.
#[derive(Debug)]
pub(super) struct Stuck {
    turns: Vec<u64>,
}

impl Stuck {
    /// The beginning of a second.
    pub(super) fn begin(shared: &Shared) -> Stuck {
        let turns = shared.route.ids().map(|id| turns(shared, id)).collect();
        Stuck { turns }
    }

    /// A sentence for each shard that has not ended, at the end of the second.
    pub(super) fn report(&self, shared: &Shared) -> String {
        let mut report = String::new();
        for (id, &before) in shared.route.ids().zip(&self.turns) {
            if shared.route.shard(id).stage() != Stage::Ended {
                let separator = if report.is_empty() { "" } else { "; " };
                report.push_str(separator);
                describe(&mut report, shared, id, before);
            }
        }
        report
    }
}

fn describe(report: &mut String, shared: &Shared, id: ShardId, turns_before: u64) {
    let handle = shared.route.shard(id);
    let status = handle.status();
    let stage = match handle.stage() {
        Stage::Serving => "does not know of the end",
        Stage::Parked => "is parked",
        Stage::Ending => "is ending",
        Stage::Leaving => "takes its ring down",
        Stage::Ended => "has ended",
    };
    let asleep = if status.is_asleep { "asleep" } else { "awake" };
    let engine = match shared.cores.of(id).holder() {
        Holder::Nobody => "at rest",
        Holder::Owner => "in its turn",
        Holder::Borrower => "lent",
    };
    let turns = turns(shared, id).saturating_sub(turns_before);
    let connections = shared.admission.of_shard(id);
    let mail = if status.has_mail { "mail" } else { "no mail" };
    let control = if status.has_control {
        "control messages"
    } else {
        "no control messages"
    };
    // Writing to a string does not fail.
    let _ = write!(
        report,
        "shard {} {stage}: {asleep}, {turns} turns in the last second, {connections} connections, engine {engine}, \
         {mail}, batches of {} shards, {control}",
        id.0, status.senders
    );
}

fn turns(shared: &Shared, id: ShardId) -> u64 {
    let mut turns = 0;
    let counters = shared.telemetry.of(id.0);
    counters.tell(Group::ShardLoop, |name, count| {
        if name == "ticks" {
            turns = count;
        }
    });
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Config;
    use crate::route::control::Control;
    use crate::run::build;

    #[test]
    fn each_shard_that_has_not_ended_is_described() {
        let config = Config {
            threads: 3,
            memory_limit_bytes: 8 << 20,
            ..Config::default()
        };
        let built = build(config, None, Vec::new()).unwrap();
        let shared = &*built.shared;
        let stuck = Stuck::begin(shared);
        shared.route.shard(ShardId(0)).reaches(Stage::Ended);
        let asleep = shared.route.shard(ShardId(1));
        asleep.reaches(Stage::Parked);
        assert!(asleep.try_sleep());
        asleep.post(Control::Second);
        let lent = shared.cores.of(ShardId(2)).try_borrow();
        shared.telemetry.of(2).ticks.add(5);
        shared.route.shard(ShardId(2)).sent_by(ShardId(0));
        let _ = shared.route.shard(ShardId(2)).notify();
        let expected = "shard 1 is parked: asleep, 0 turns in the last second, 0 connections, engine at rest, \
                        no mail, batches of 0 shards, control messages; \
                        shard 2 does not know of the end: awake, 5 turns in the last second, 0 connections, \
                        engine lent, mail, batches of 1 shards, no control messages";
        assert_eq!(stuck.report(shared), expected);
        drop(lent);
    }
}

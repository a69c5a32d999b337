//! Asks every shard for its statistics, and waits for them no longer than a second.
//!
//! A shard that has been asked and has not answered is not asked again, so that no more than one message waits in its
//! inbox. If it answers later, the next one who asks has the answer, which is not older than that question.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use crate::cell::ShardReport;
use crate::ids::ShardId;
use crate::route::control::Control;
use crate::shared::Shared;

/// Time in which every shard must answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Shards that are named in a sentence about many.
const NAMED_MAX: usize = 8;

/// Why there are no statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The process is ending.
    Ending,
    /// These shards have not answered in time.
    Shards(Vec<ShardId>),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards = match self {
            Missing::Ending => return f.write_str("The server is ending."),
            Missing::Shards(shards) => shards,
        };
        let named: Vec<_> = shards
            .iter()
            .take(NAMED_MAX)
            .map(|it| it.0.to_string())
            .collect();
        let (word, verb) = match shards.len() {
            1 => ("Shard", "has"),
            _ => ("Shards", "have"),
        };
        write!(f, "{word} {}", named.join(", "))?;
        if shards.len() > NAMED_MAX {
            write!(f, " and {} more", shards.len() - NAMED_MAX)?;
        }
        write!(f, " {verb} not answered within a second.")
    }
}

/// The one who asks.
pub(super) struct Collector {
    shared: Arc<Shared>,
    /// Whether each shard has been asked and has not answered yet.
    asked: Vec<bool>,
    answer: Sender<ShardReport>,
    answers: Receiver<ShardReport>,
}

impl Collector {
    pub(super) fn new(shared: Arc<Shared>) -> Collector {
        let (answer, answers) = mpsc::channel();
        Collector {
            asked: vec![false; shared.route.len()],
            shared,
            answer,
            answers,
        }
    }

    /// The statistics of all shards as they are now, by shard.
    ///
    /// # Errors
    /// If the process is ending, or a shard does not answer in time.
    pub(super) fn collect(&mut self) -> Result<Vec<ShardReport>, Missing> {
        self.ask();
        let deadline = Instant::now() + PATIENCE;
        let mut reports: Vec<Option<ShardReport>> = Vec::new();
        reports.resize_with(self.asked.len(), || None);
        while self.asked.contains(&true) && !self.shared.ground.is_stopping() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(report) = self.answers.recv_timeout(left) else {
                break;
            };
            let shard = usize::from(report.shard.0);
            self.asked[shard] = false;
            reports[shard] = Some(report);
        }
        if self.shared.ground.is_stopping() {
            return Err(Missing::Ending);
        }
        let ids = self.shared.route.ids().zip(&self.asked);
        let late: Vec<_> = ids
            .filter_map(|(id, &is_late)| is_late.then_some(id))
            .collect();
        match late.is_empty() {
            true => Ok(reports.into_iter().flatten().collect()),
            false => Err(Missing::Shards(late)),
        }
    }

    /// Asks the shards that are not being asked. Answers that came too late for an earlier question are of no use now.
    fn ask(&mut self) {
        for late in self.answers.try_iter() {
            self.asked[usize::from(late.shard.0)] = false;
        }
        for (id, asked) in self.shared.route.ids().zip(&mut self.asked) {
            if !std::mem::replace(asked, true) {
                let answer = self.answer.clone();
                self.shared.route.shard(id).post(Control::Report { answer });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_that_are_missing_are_named() {
        let told = |count| Missing::Shards((0..count).map(ShardId).collect()).to_string();
        assert_eq!(told(1), "Shard 0 has not answered within a second.");
        assert_eq!(told(3), "Shards 0, 1, 2 have not answered within a second.");
        assert_eq!(
            told(10),
            "Shards 0, 1, 2, 3, 4, 5, 6, 7 and 2 more have not answered within a second."
        );
        assert_eq!(Missing::Ending.to_string(), "The server is ending.");
    }
}

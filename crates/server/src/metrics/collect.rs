//! Asks every shard for its statistics, and waits for them no longer than a second.
//!
//! ```text
//!   asked ---- 1 s ----------------- 10 s -------->
//!        answers | is late: shown    | the server is not well
//!                | is what it told   |
//!                | before            |
//! ```
//!
//! On a machine that is busy with something else a shard may get no CPU for a second or more, and is well all the same.
//! So what it told last stands for it: without it, sums over all shards would fall, as after a restart.
//!
//! A shard that has been asked and has not answered is not asked again, so that no more than one message waits in its
//! inbox. If it answers later, that is what it told last, and the next one who asks asks it again.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use crate::ids::ShardId;
use crate::operation::ShardReport;
use crate::route::control::Control;
use crate::shared::Shared;

/// Time for which shards are waited for. Probes give up after two seconds (docs/metrics.md).
const PATIENCE: Duration = Duration::from_secs(1);
/// Time in which every shard must answer for the server to be well.
const LATE_MAX: Duration = Duration::from_secs(10);
/// Shards that are named in a sentence about many.
const NAMED_MAX: usize = 8;

/// What all shards have told.
pub(super) struct Collected<'a> {
    /// By shard.
    pub(super) shards: Vec<Shown<'a>>,
    /// The shards that have not answered now.
    pub(super) late: Late,
}

/// What a shard has told.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Its statistics.
    pub(super) report: &'a ShardReport,
    /// How long ago it was asked for them; zero if it was asked now.
    pub(super) age: Duration,
}

/// Why there are no statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The process is ending.
    Ending,
    /// These shards have never answered, or not for too long.
    Shards(Late),
}

/// Shards that have been asked and have not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Late {
    shards: Vec<ShardId>,
    /// For how long the first of them has not.
    longest: Duration,
}

impl Late {
    /// Whether all have answered.
    pub(super) fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    fn add(&mut self, shard: ShardId, owes: Duration) {
        self.shards.push(shard);
        self.longest = self.longest.max(owes);
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self
            .shards
            .iter()
            .take(NAMED_MAX)
            .map(|it| it.0.to_string())
            .collect();
        let (word, verb) = match self.shards.len() {
            1 => ("Shard", "has"),
            _ => ("Shards", "have"),
        };
        write!(f, "{word} {}", named.join(", "))?;
        if self.shards.len() > NAMED_MAX {
            write!(f, " and {} more", self.shards.len() - NAMED_MAX)?;
        }
        write!(f, " {verb} not answered for {} s.", self.longest.as_secs())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Ending => f.write_str("The server is ending."),
            Missing::Shards(late) => late.fmt(f),
        }
    }
}

/// What is known of a shard.
#[derive(Default)]
struct Known {
    /// When it was asked, if it has not answered yet.
    asked: Option<Instant>,
    /// What it told last, and when it was asked for that.
    told: Option<(Instant, ShardReport)>,
}

impl Known {
    /// The shard is to be asked now; returns false if it has been asked already.
    fn ask(&mut self, now: Instant) -> bool {
        let is_first = self.asked.is_none();
        self.asked.get_or_insert(now);
        is_first
    }

    fn answers(&mut self, report: ShardReport) {
        if let Some(asked) = self.asked.take() {
            self.told = Some((asked, report));
        }
    }

    /// How long ago it was asked what it has not answered; zero if it owes no answer.
    fn owes(&self, now: Instant) -> Duration {
        self.asked
            .map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked))
    }

    /// What stands for it now; `None` if it has never answered, or not for too long.
    fn shown(&self, now: Instant) -> Option<Shown<'_>> {
        let (asked, report) = self.told.as_ref()?;
        let age = match self.asked {
            None => Duration::ZERO,
            Some(_) => now.saturating_duration_since(*asked),
        };
        (self.owes(now) < LATE_MAX).then_some(Shown { report, age })
    }
}

/// The one who asks.
pub(super) struct Collector {
    shared: Arc<Shared>,
    /// By shard.
    known: Vec<Known>,
    answer: Sender<ShardReport>,
    answers: Receiver<ShardReport>,
}

impl Collector {
    pub(super) fn new(shared: Arc<Shared>) -> Collector {
        let (answer, answers) = mpsc::channel();
        Collector {
            known: shared.route.ids().map(|_| Known::default()).collect(),
            shared,
            answer,
            answers,
        }
    }

    /// The statistics of all shards as they are now, or as they last were.
    ///
    /// # Errors
    /// If the process is ending, or a shard has never answered, or not for too long.
    pub(super) fn collect(&mut self) -> Result<Collected<'_>, Missing> {
        self.ask();
        let deadline = Instant::now() + PATIENCE;
        while self.known.iter().any(|it| it.asked.is_some()) && !self.shared.globals.is_stopping() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(report) = self.answers.recv_timeout(left) else {
                break;
            };
            self.known[usize::from(report.shard.0)].answers(report);
        }
        if self.shared.globals.is_stopping() {
            return Err(Missing::Ending);
        }
        self.collected(Instant::now())
    }

    /// Asks the shards that are not being asked.
    fn ask(&mut self) {
        for late in self.answers.try_iter() {
            self.known[usize::from(late.shard.0)].answers(late);
        }
        let now = Instant::now();
        for (id, known) in self.shared.route.ids().zip(&mut self.known) {
            if known.ask(now) {
                let answer = self.answer.clone();
                self.shared.route.shard(id).post(Control::Report { answer });
            }
        }
    }

    fn collected(&self, now: Instant) -> Result<Collected<'_>, Missing> {
        let (mut late, mut missing) = (Late::default(), Late::default());
        let mut shards = Vec::with_capacity(self.known.len());
        for (id, known) in self.shared.route.ids().zip(&self.known) {
            if known.asked.is_some() {
                late.add(id, known.owes(now));
            }
            match known.shown(now) {
                Some(shown) => shards.push(shown),
                None => missing.add(id, known.owes(now)),
            }
        }
        match missing.is_empty() {
            true => Ok(Collected { shards, late }),
            false => Err(Missing::Shards(missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::config::Config;
    use crate::run::{Built, build};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_shards_that_are_missing_are_named() {
        let told = |count| {
            let mut late = Late::default();
            for shard in 0..count {
                late.add(ShardId(shard), SECOND * (12 - u32::from(shard)));
            }
            Missing::Shards(late).to_string()
        };
        assert_eq!(told(1), "Shard 0 has not answered for 12 s.");
        assert_eq!(told(3), "Shards 0, 1, 2 have not answered for 12 s.");
        assert_eq!(
            told(10),
            "Shards 0, 1, 2, 3, 4, 5, 6, 7 and 2 more have not answered for 12 s."
        );
        assert_eq!(Missing::Ending.to_string(), "The server is ending.");
    }

    #[test]
    fn a_late_shard_is_shown_as_it_was_for_ten_seconds() {
        let Built { mut parts, .. } =
            build(Config::default(), None, Vec::new()).unwrap_or_else(|error| panic!("{error}"));
        let mut report = || ShardReport::of(parts[0].id, &parts[0].owner.resume().engine);
        let start = Instant::now();
        let at = |seconds: u32| start + SECOND * seconds;
        let mut shard = Known::default();
        let age = |shard: &Known, seconds| shard.shown(at(seconds)).map(|shown| shown.age);

        assert!(shard.ask(at(0)));
        assert_eq!(age(&shard, 1), None, "it has never answered");
        shard.answers(report());
        assert_eq!(age(&shard, 1), Some(Duration::ZERO));

        assert!(shard.ask(at(15)));
        assert_eq!(age(&shard, 16), Some(16 * SECOND));
        assert!(!shard.ask(at(20)), "it is asked once");
        assert_eq!(age(&shard, 24), Some(24 * SECOND));
        assert_eq!(age(&shard, 25), None, "it has not answered for ten seconds");
        assert_eq!(shard.owes(at(25)), 10 * SECOND);

        shard.answers(report());
        assert!(shard.ask(at(30)));
        assert_eq!(age(&shard, 31), Some(16 * SECOND), "asked at 15");
        shard.answers(report());
        assert_eq!(age(&shard, 31), Some(Duration::ZERO));
        assert_eq!(shard.owes(at(31)), Duration::ZERO);
    }
}

//! A command that concerns every shard, while the shards do their parts: their answers, and the reply that these
//! become.

use corecached_engine::{ClassStats, ReassignOutcome, Seconds};

use crate::ids::ReplySeq;
use crate::operation::op::ShardOp;
use crate::operation::outcome::ShardOutcome;
use crate::operation::{HotKeysReport, ShardReport};
use crate::shared::Shared;
use crate::stats;
use crate::watch::PrefixRows;
use crate::wire::Style;
use crate::wire::dump::Walked;
use crate::wire::notice::Notice;

/// The command or step that is gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatherKind {
    /// `flush_all`.
    Flush {
        /// When the items are flushed; `None` is now.
        at: Option<Seconds>,
    },
    /// `stats reset`.
    Reset,
    /// `stats`.
    General,
    /// `stats items`.
    Items,
    /// `stats slabs`.
    Slabs,
    /// `stats shards`.
    Shards,
    /// `stats memory`.
    Memory,
    /// `stats hotkeys`.
    HotKeys {
        /// Whether the counts begin anew.
        reset: bool,
    },
    /// One step of a walk, on one shard.
    Walk,
    /// A step of `stats detail dump`: the counts of the prefixes from this number on.
    Prefixes {
        /// The first of these numbers.
        from: u32,
    },
    /// `slabs reassign`.
    Reassign {
        /// The class that gives a page; `None` is any class.
        source: Option<u8>,
        /// The class that gets the page; 0 is the pool.
        destination: u8,
    },
}

impl GatherKind {
    /// The operation that every shard is asked for.
    pub(super) fn op(self) -> ShardOp<'static> {
        match self {
            GatherKind::Flush { at } => ShardOp::FlushAll { at },
            GatherKind::Reset => ShardOp::ResetStats,
            GatherKind::Prefixes { from } => ShardOp::Prefixes { from },
            GatherKind::HotKeys { reset } => ShardOp::HotKeys { reset },
            GatherKind::Reassign {
                source,
                destination,
            } => ShardOp::Reassign {
                source,
                destination,
            },
            _ => ShardOp::Report,
        }
    }
}

/// A broadcast under way.
#[derive(Debug)]
pub(crate) struct Gather {
    pub(super) kind: GatherKind,
    /// The place of the reply; `None` for `noreply`.
    seq: Option<ReplySeq>,
    /// How the outcome is told.
    style: Style<'static>,
    /// Shards that have not answered yet.
    missing: usize,
    /// The shards' answers, by shard id.
    reports: Vec<Option<Box<ShardReport>>>,
    /// The result of a step of a walk.
    walked: Option<Walked>,
    prefixes: PrefixRows,
    hot_keys: Vec<HotKeysReport>,
    reassigned: Vec<ReassignOutcome>,
}

impl Gather {
    /// Waits for one step of a walk on another shard.
    pub(super) fn walk() -> Gather {
        Gather {
            missing: 1,
            ..Gather::new(GatherKind::Walk, None, Style::None, 0)
        }
    }

    /// Waits for the parts of `shards` shards.
    pub(super) fn new(
        kind: GatherKind,
        seq: Option<ReplySeq>,
        style: Style<'static>,
        shards: usize,
    ) -> Gather {
        Gather {
            kind,
            seq,
            style,
            missing: shards,
            reports: (0..shards).map(|_| None).collect(),
            walked: None,
            prefixes: PrefixRows::default(),
            hot_keys: Vec::new(),
            reassigned: Vec::new(),
        }
    }

    /// The place of the reply.
    pub(super) fn seq(&self) -> Option<ReplySeq> {
        self.seq
    }

    /// One shard has done its part; returns `true` if it was the last.
    pub(crate) fn done(&mut self) -> bool {
        self.missing -= 1;
        self.missing == 0
    }

    /// Keeps the answer of a shard.
    pub(crate) fn add_outcome(&mut self, outcome: ShardOutcome) {
        match outcome {
            ShardOutcome::Report(report) => {
                let shard = usize::from(report.shard.0);
                self.reports[shard] = Some(report);
            }
            ShardOutcome::Prefixes(rows) => self.prefixes.add(&rows),
            ShardOutcome::HotKeys(report) => self.hot_keys.push(*report),
            ShardOutcome::Reassigned(outcome) => self.reassigned.push(outcome),
            // `Done` carries nothing to keep, and `Granted` never answers a broadcast.
            ShardOutcome::Done | ShardOutcome::Granted(_) => {}
        }
    }

    /// Keeps the result of a step of a walk.
    pub(crate) fn add_walked(&mut self, walked: Walked) {
        self.walked = Some(walked);
    }

    /// Takes the result of a step of a walk, if such a step was awaited.
    pub(super) fn take_walked(&mut self) -> Option<Walked> {
        self.walked.take()
    }

    /// The counts of prefixes; empty if no such counts were awaited.
    pub(super) fn prefixes(&self) -> &PrefixRows {
        &self.prefixes
    }

    /// Bytes of heap memory held, as far as their number depends on the command.
    pub(super) fn held_bytes(&self) -> usize {
        let reports = self.reports.len() * size_of::<ShardReport>();
        let classes = self.reports.iter().flatten();
        let classes: usize = classes.map(|report| report.classes.capacity()).sum();
        let hot_keys = self.hot_keys.iter().map(HotKeysReport::held_bytes);
        size_of::<Gather>() + reports + classes * size_of::<ClassStats>() + hot_keys.sum::<usize>()
    }

    /// Appends the reply, once every shard has answered.
    pub(crate) fn render(&mut self, shared: &Shared, out: &mut Vec<u8>) {
        let reports: Vec<&ShardReport> = self.reports.iter().flatten().map(Box::as_ref).collect();
        let pairs = match self.kind {
            GatherKind::Flush { .. } => return self.style.notice(Notice::Flushed, out),
            GatherKind::Reset => return self.style.notice(Notice::CountersReset, out),
            GatherKind::Walk | GatherKind::Prefixes { .. } => return,
            GatherKind::Reassign { .. } => {
                return self.style.notice(Notice::Reassigned(&self.reassigned), out);
            }
            GatherKind::HotKeys { reset: true } => {
                return self.style.notice(Notice::CountersReset, out);
            }
            GatherKind::HotKeys { reset: false } => stats::hot_keys::render(shared, &self.hot_keys),
            GatherKind::General => stats::general::render(shared, &reports),
            GatherKind::Items => stats::items::render(shared, &reports),
            GatherKind::Slabs => stats::slabs::render(&reports),
            GatherKind::Shards => stats::shards::render(shared, &reports),
            GatherKind::Memory => stats::memory::render(shared, &reports),
        };
        self.style.statistics(&pairs, out);
    }
}

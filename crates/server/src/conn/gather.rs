//! Commands that concern every shard. They are sent to all shards and answered when the last shard has done its part.
//! Until then the connection executes nothing further, so that later commands on it see the effect.

use corecached_engine::{ClassStats, ReassignOutcome, Seconds};
use corecached_protocol::text::{DetailMode, StatsRequest};
use corecached_protocol::{exptime, reply};

use crate::cell::execute::run_on_shard;
use crate::cell::op::ShardOp;
use crate::cell::outcome::Part;
use crate::cell::walk::Place;
use crate::cell::{HotKeysReport, Pairs, ShardReport};
use crate::dialect::Style;
use crate::dialect::dump::Walked;
use crate::dialect::notice::Notice;
use crate::ids::ReplySeq;
use crate::shared::Shared;
use crate::stats;
use crate::watch::{PREFIXES_PER_STEP, PrefixRows};

use super::crawl::{self, CrawlKind};
use super::{Conn, Cx};

/// The source that stands for any class in `slabs reassign`.
const ANY_CLASS: i32 = -1;

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
    fn op(self) -> ShardOp<'static> {
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
    kind: GatherKind,
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

    fn new(
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
    pub(crate) fn add_part(&mut self, part: Part) {
        match part {
            Part::Report(report) => {
                let shard = usize::from(report.shard.0);
                self.reports[shard] = Some(report);
            }
            Part::Prefixes(rows) => self.prefixes.add(&rows),
            Part::HotKeys(report) => self.hot_keys.push(*report),
            Part::Reassigned(outcome) => self.reassigned.push(outcome),
            // `Done` carries nothing to keep, and `Granted` never answers a broadcast.
            Part::Done | Part::Granted(_) => {}
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
    pub(crate) fn tell(&mut self, shared: &Shared, out: &mut Vec<u8>) {
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

/// `flush_all`.
pub(super) fn flush_all(
    conn: &mut Conn,
    delay: Option<i64>,
    style: Style<'static>,
    cx: &mut Cx<'_>,
) {
    cx.shared.telemetry.flushed();
    if !cx.shared.ground.config.flush_enabled {
        return conn.notice(style, Notice::FlushRefused, cx);
    }
    let at = exptime::flush_at(delay, cx.access.now.0, cx.shared.ground.clock.unix_origin())
        .map(Seconds);
    cx.shared.insight.flush(at, cx.access.now);
    broadcast(conn, GatherKind::Flush { at }, style, cx);
}

/// `stats` and its subcommands.
pub(super) fn stats(
    conn: &mut Conn,
    request: StatsRequest<'_>,
    style: Style<'static>,
    cx: &mut Cx<'_>,
) {
    let kind = match request {
        StatsRequest::General => GatherKind::General,
        StatsRequest::Reset => {
            cx.shared.reset_statistics();
            GatherKind::Reset
        }
        StatsRequest::Items => GatherKind::Items,
        StatsRequest::Slabs => GatherKind::Slabs,
        StatsRequest::Conns => return crawl::begin(conn, CrawlKind::Conns(style), 0, cx),
        StatsRequest::Settings => {
            let pairs = stats::settings::render(cx.shared);
            return conn.tell(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Sizes if cx.shared.ground.config.track_sizes => {
            return crawl::begin(conn, CrawlKind::Sizes(style), u64::MAX, cx);
        }
        StatsRequest::Sizes => {
            let mut pairs = Pairs::default();
            pairs.text("sizes_status", "disabled");
            return conn.tell(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Detail(_) if !cx.shared.ground.config.dump_enabled => {
            return conn.notice(style, Notice::DetailRefused, cx);
        }
        StatsRequest::Detail(DetailMode::Dump) => {
            return crawl::begin(conn, CrawlKind::Detail(style), 0, cx);
        }
        StatsRequest::Detail(mode) => {
            let on = mode == DetailMode::On;
            cx.shared.ground.tuning.detail.turn(on);
            cx.shared.watch.count_prefixes(on);
            // The requests that follow in the same pipeline are counted, or not counted, as this command says.
            cx.access.observer.sync(cx.access.engine);
            return conn.notice(style, Notice::DetailTurned, cx);
        }
        StatsRequest::Cachedump { class, limit } => return cachedump(conn, class, limit, cx),
        StatsRequest::HotKeys { .. } if !cx.shared.ground.config.dump_enabled => {
            return conn.notice(style, Notice::HotKeysRefused, cx);
        }
        StatsRequest::HotKeys { reset } => GatherKind::HotKeys { reset },
        StatsRequest::Mrc { reset: true } => {
            cx.shared.insight.reset();
            return conn.notice(style, Notice::CountersReset, cx);
        }
        StatsRequest::Mrc { reset: false } => {
            let pairs = stats::mrc::render(cx.shared);
            return conn.tell(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Other(b"shards") => GatherKind::Shards,
        StatsRequest::Other(b"memory") => GatherKind::Memory,
        StatsRequest::Other(_) => return conn.notice(style, Notice::NoSuchStatistics, cx),
    };
    broadcast(conn, kind, style, cx);
}

fn cachedump(conn: &mut Conn, class: u32, limit: u32, cx: &mut Cx<'_>) {
    if !cx.shared.ground.config.dump_enabled {
        return conn.say(reply::CACHEDUMP_DISABLED, cx);
    }
    let kind = CrawlKind::Cachedump {
        limit: match limit {
            0 => u32::MAX,
            limit => limit,
        },
    };
    crawl::begin(conn, kind, 1 << class, cx);
}

/// `slabs reassign`: each shard whose source class has a page to spare moves one page.
pub(super) fn reassign(
    conn: &mut Conn,
    (source, destination): (i32, i32),
    style: Style<'static>,
    cx: &mut Cx<'_>,
) {
    let class = |id: i32| u8::try_from(id).ok();
    let kind = match (source, class(source), class(destination)) {
        (_, _, None) => None,
        (ANY_CLASS, _, Some(destination)) => Some((None, destination)),
        (_, None, _) => None,
        (_, source, Some(destination)) => Some((source, destination)),
    };
    let Some((source, destination)) = kind else {
        let bad = [ReassignOutcome::BadClass];
        return conn.notice(style, Notice::Reassigned(&bad), cx);
    };
    let kind = GatherKind::Reassign {
        source,
        destination,
    };
    broadcast(conn, kind, style, cx);
}

fn broadcast(conn: &mut Conn, kind: GatherKind, style: Style<'static>, cx: &mut Cx<'_>) {
    let seq = (!style.is_none()).then(|| conn.expect_reply().seq);
    let gather = Gather::new(kind, seq, style, cx.shared.route.len());
    ask_all(conn, gather, cx);
}

/// A step of `stats detail dump`. Its outcome is taken in by the walk that the connection is in.
pub(super) fn prefixes(conn: &mut Conn, from: u32, cx: &mut Cx<'_>) {
    let next = from + PREFIXES_PER_STEP as u32;
    let kind = GatherKind::Prefixes { from };
    let mut gather = Gather::new(kind, None, Style::None, cx.shared.route.len());
    gather.add_walked(Walked {
        place: Some(Place::Number(next)),
        is_full: next >= cx.shared.watch.prefixes(),
        ..Walked::default()
    });
    ask_all(conn, gather, cx);
}

/// Asks every shard for its part; the connection's own shard gives its part at once.
fn ask_all(conn: &mut Conn, gather: Gather, cx: &mut Cx<'_>) {
    let op = gather.kind.op();
    conn.gather = Some(Box::new(gather));
    for shard in cx.shared.route.ids() {
        if shard != cx.access.shard {
            cx.router.push_shard_op(shard, &op, Some(conn.id));
        }
    }
    let part = run_on_shard(&mut cx.access, &op);
    if conn.gather_mut().is_some_and(|gather| {
        gather.add_part(part);
        gather.done()
    }) {
        conn.finish_gather(cx.shared, cx.spare);
    }
}

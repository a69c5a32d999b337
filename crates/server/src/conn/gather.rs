//! Commands that concern every shard: sent to all, answered when the last has done its part. Until then the connection
//! executes nothing further, so that the effect comes before anything later on it.

use corecached_engine::{ClassStats, KeyHash, ReassignOutcome, Seconds};
use corecached_protocol::text::{DetailMode, StatsRequest};
use corecached_protocol::{exptime, reply};
use corecached_reactor::Outgoing;

use crate::batch::ReplyTo;
use crate::cell::{Pairs, ShardReport};
use crate::crawler::Place;
use crate::execute::{
    Part, Walked, counters_reset, detail_refused, detail_turned, execute, flush_refused, flushed,
    no_such_statistics, reassigned, statistics,
};
use crate::op::{Op, ReplyStyle, TEXT, Verb};
use crate::replies::ReplySeq;
use crate::shared::Shared;
use crate::stats;

use crate::watch::{PREFIXES_PER_STEP, PrefixRows};

use super::crawl::{self, CrawlKind};
use super::{Conn, Cx};

/// The source of `slabs reassign` that means any class.
const ANY_CLASS: i32 = -1;

/// What is being gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatherKind {
    /// `flush_all`.
    Flush,
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
    /// One step of a walk, on one shard.
    Walk,
    /// A step of `stats detail dump`: the counts of the prefixes from this number on.
    Prefixes {
        /// The number.
        from: u32,
    },
    /// `slabs reassign`.
    Reassign {
        /// The class that gives a page; `None` = any.
        source: Option<u8>,
        /// The class that gets it; 0 = the pool.
        destination: u8,
    },
}

impl GatherKind {
    fn verb(self, at: Option<Seconds>) -> Verb<'static> {
        match self {
            GatherKind::Flush => Verb::FlushAll { at },
            GatherKind::Reset => Verb::ResetStats,
            GatherKind::Prefixes { from } => Verb::Prefixes { from },
            GatherKind::Reassign {
                source,
                destination,
            } => Verb::Reassign {
                source,
                destination,
            },
            _ => Verb::Report,
        }
    }
}

/// A broadcast under way.
#[derive(Debug)]
pub(crate) struct Gather {
    kind: GatherKind,
    /// The place of its reply; `None` for `noreply`.
    seq: Option<ReplySeq>,
    /// How its outcome is told.
    reply: ReplyStyle<'static>,
    /// Shards that have not answered yet.
    missing: usize,
    /// By shard id.
    reports: Vec<Option<Box<ShardReport>>>,
    /// A step of a walk.
    walked: Option<Walked>,
    prefixes: PrefixRows,
    reassigned: Vec<ReassignOutcome>,
}

impl Gather {
    /// Waits for one step of a walk on another shard.
    pub(super) fn walk() -> Gather {
        Gather {
            missing: 1,
            ..Gather::new(GatherKind::Walk, None, ReplyStyle::None, 0)
        }
    }

    fn new(
        kind: GatherKind,
        seq: Option<ReplySeq>,
        reply: ReplyStyle<'static>,
        shards: usize,
    ) -> Gather {
        Gather {
            kind,
            seq,
            reply,
            missing: shards,
            reports: (0..shards).map(|_| None).collect(),
            walked: None,
            prefixes: PrefixRows::default(),
            reassigned: Vec::new(),
        }
    }

    /// The place of its reply.
    pub(super) fn seq(&self) -> Option<ReplySeq> {
        self.seq
    }

    /// One shard has done its part; `true` if it was the last.
    pub(crate) fn done(&mut self) -> bool {
        self.missing -= 1;
        self.missing == 0
    }

    /// Keeps what a shard has given.
    pub(crate) fn add_part(&mut self, part: Part) {
        match part {
            Part::Report(report) => {
                let shard = usize::from(report.shard.0);
                self.reports[shard] = Some(report);
            }
            Part::Walked(walked) => self.walked = Some(walked),
            Part::Prefixes(rows) => self.prefixes.add(&rows),
            Part::Reassigned(outcome) => self.reassigned.push(outcome),
            // No part of a broadcast.
            Part::Granted(_) => {}
        }
    }

    /// What a step of a walk has come to, if that is what was awaited.
    pub(super) fn take_walked(&mut self) -> Option<Walked> {
        self.walked.take()
    }

    /// The counts of prefixes, if those were awaited.
    pub(super) fn prefixes(&self) -> &PrefixRows {
        &self.prefixes
    }

    /// Bytes of heap memory held, as far as they depend on what is asked for.
    pub(super) fn held_bytes(&self) -> usize {
        let reports = self.reports.len() * size_of::<ShardReport>();
        let classes = self.reports.iter().flatten();
        let classes: usize = classes.map(|report| report.classes.capacity()).sum();
        size_of::<Gather>() + reports + classes * size_of::<ClassStats>()
    }

    /// Appends the reply, once every shard has answered.
    pub(crate) fn tell(&mut self, shared: &Shared, out: &mut Outgoing) {
        let reports: Vec<&ShardReport> = self.reports.iter().flatten().map(Box::as_ref).collect();
        let pairs = match self.kind {
            GatherKind::Flush => return flushed(&self.reply, out),
            GatherKind::Reset => return counters_reset(&self.reply, out),
            GatherKind::Walk | GatherKind::Prefixes { .. } => return,
            GatherKind::Reassign { .. } => {
                return reassigned(&self.reply, &self.reassigned, out);
            }
            GatherKind::General => stats::general::render(shared, &reports),
            GatherKind::Items => stats::items::render(shared, &reports),
            GatherKind::Slabs => stats::slabs::render(&reports),
            GatherKind::Shards => stats::shards::render(shared, &reports),
            GatherKind::Memory => stats::memory::render(shared, &reports),
        };
        statistics(&self.reply, &pairs, out);
    }
}

/// `flush_all`.
pub(super) fn flush_all(
    conn: &mut Conn,
    delay: Option<i64>,
    reply: ReplyStyle<'static>,
    cx: &mut Cx<'_>,
) {
    cx.shared.telemetry.flushed();
    if !cx.shared.ground.config.flush_enabled {
        return conn.tell(cx, |out| flush_refused(&reply, out));
    }
    let at = exptime::flush_at(delay, cx.access.now.0, cx.shared.ground.clock.unix_origin())
        .map(Seconds);
    broadcast(conn, GatherKind::Flush, at, reply, cx);
}

/// `stats` and its subcommands.
pub(super) fn stats(
    conn: &mut Conn,
    request: StatsRequest<'_>,
    reply: ReplyStyle<'static>,
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
        StatsRequest::Conns => return crawl::begin(conn, CrawlKind::Conns(reply), 0, cx),
        StatsRequest::Settings => {
            let pairs = stats::settings::render(cx.shared);
            return conn.tell(cx, |out| statistics(&reply, &pairs, out));
        }
        StatsRequest::Sizes if cx.shared.ground.config.track_sizes => {
            return crawl::begin(conn, CrawlKind::Sizes(reply), u64::MAX, cx);
        }
        StatsRequest::Sizes => {
            let mut pairs = Pairs::default();
            pairs.text("sizes_status", "disabled");
            return conn.tell(cx, |out| statistics(&reply, &pairs, out));
        }
        StatsRequest::Detail(_) if !cx.shared.ground.config.dump_enabled => {
            return conn.tell(cx, |out| detail_refused(&reply, out));
        }
        StatsRequest::Detail(DetailMode::Dump) => {
            return crawl::begin(conn, CrawlKind::Detail(reply), 0, cx);
        }
        StatsRequest::Detail(mode) => {
            let on = mode == DetailMode::On;
            cx.shared.ground.tuning.detail.turn(on);
            cx.shared.watch.count_prefixes(on);
            // What follows in the same pipeline is counted, or not.
            cx.access.observer.sync(cx.access.engine);
            return conn.tell(cx, |out| detail_turned(&reply, out));
        }
        StatsRequest::Cachedump { class, limit } => return cachedump(conn, class, limit, cx),
        StatsRequest::Other(b"shards") => GatherKind::Shards,
        StatsRequest::Other(b"memory") => GatherKind::Memory,
        StatsRequest::Other(_) => return conn.tell(cx, |out| no_such_statistics(&reply, out)),
    };
    broadcast(conn, kind, None, reply, cx);
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

/// `slabs reassign`: the shards whose source has a page to spare move one each.
pub(super) fn reassign(
    conn: &mut Conn,
    (source, destination): (i32, i32),
    reply: ReplyStyle<'static>,
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
        return conn.tell(cx, |out| {
            reassigned(&reply, &[ReassignOutcome::BadClass], out);
        });
    };
    let kind = GatherKind::Reassign {
        source,
        destination,
    };
    broadcast(conn, kind, None, reply, cx);
}

fn begin(conn: &mut Conn, kind: GatherKind, reply: ReplyStyle<'static>, cx: &Cx<'_>) -> ReplyTo {
    let seq = (!reply.is_none()).then(|| conn.replies.expect());
    let gather = Gather::new(kind, seq, reply, cx.shared.route.len());
    conn.gather = Some(Box::new(gather));
    // The place of the reply is known to the gather; the shards only say that they are done.
    ReplyTo {
        conn: conn.id,
        seq: ReplySeq(0),
    }
}

fn broadcast(
    conn: &mut Conn,
    kind: GatherKind,
    at: Option<Seconds>,
    reply: ReplyStyle<'static>,
    cx: &mut Cx<'_>,
) {
    broadcast_for(conn, kind, at, reply, None, cx);
}

/// The same as a step of a walk, of which `walked` is known already.
fn broadcast_for(
    conn: &mut Conn,
    kind: GatherKind,
    at: Option<Seconds>,
    reply: ReplyStyle<'static>,
    walked: Option<Walked>,
    cx: &mut Cx<'_>,
) {
    let done = begin(conn, kind, reply, cx);
    if let Some(gather) = conn.gather_mut() {
        gather.walked = walked;
    }
    let op = Op {
        key: &[],
        hash: KeyHash(0),
        verb: kind.verb(at),
        reply: TEXT,
    };
    for shard in cx.shared.route.ids() {
        if shard != cx.access.shard {
            cx.router.push(shard, &op, Some(done));
        }
    }
    let part = execute(&mut cx.access, &op, &mut cx.unwanted);
    if let (Some(gather), Some(part)) = (conn.gather_mut(), part) {
        gather.add_part(part);
    }
    part_done(conn, cx);
}

/// A step of `stats detail dump`: its outcome is taken in by the walk that the connection is in.
pub(super) fn prefixes(conn: &mut Conn, from: u32, cx: &mut Cx<'_>) {
    let kind = GatherKind::Prefixes { from };
    let next = from + PREFIXES_PER_STEP as u32;
    let walked = Walked {
        place: Some(Place::Number(next)),
        is_full: next >= cx.shared.watch.prefixes(),
        ..Walked::default()
    };
    broadcast_for(conn, kind, None, ReplyStyle::None, Some(walked), cx);
}

fn part_done(conn: &mut Conn, cx: &mut Cx<'_>) {
    if conn.gather_mut().is_some_and(Gather::done) {
        conn.finish_gather(cx.shared, &mut cx.spare);
    }
}

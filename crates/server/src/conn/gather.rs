//! Commands that concern every shard: sent to all, answered when the last has done its part. Until then the connection
//! executes nothing further, so that the effect comes before anything later on it.

use corecached_engine::{KeyHash, Seconds};
use corecached_protocol::text::StatsRequest;
use corecached_protocol::{exptime, reply};

use crate::batch::ReplyTo;
use crate::control::Control;
use crate::execute::execute;
use crate::op::{Op, TEXT, Verb};
use crate::replies::ReplySeq;
use crate::shard::ShardId;
use crate::stats::{self, ShardReport};

use super::{Conn, Cx};

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
    /// `stats conns`.
    Conns,
}

impl GatherKind {
    fn verb(self, at: Option<Seconds>) -> Verb<'static> {
        match self {
            GatherKind::Flush => Verb::FlushAll { at },
            GatherKind::Reset => Verb::ResetStats,
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
    /// Shards that have not answered yet.
    missing: usize,
    /// By shard id.
    reports: Vec<Option<Box<ShardReport>>>,
    /// Lines of `stats conns`, by descriptor.
    conns: Vec<(i32, Vec<u8>)>,
}

impl Gather {
    fn new(kind: GatherKind, seq: Option<ReplySeq>, shards: usize) -> Gather {
        Gather {
            kind,
            seq,
            missing: shards,
            reports: (0..shards).map(|_| None).collect(),
            conns: Vec::new(),
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

    /// Keeps a shard's statistics.
    pub(crate) fn add_report(&mut self, report: Box<ShardReport>) {
        let shard = usize::from(report.shard.0);
        self.reports[shard] = Some(report);
    }

    /// Keeps a shard's description of its connections.
    pub(crate) fn add_conns(&mut self, conns: Vec<(i32, Vec<u8>)>) {
        self.conns.extend(conns);
    }

    /// The reply, once every shard has answered.
    pub(crate) fn render(&mut self, shared: &crate::shared::Shared) -> Vec<u8> {
        let reports: Vec<&ShardReport> = self.reports.iter().flatten().map(Box::as_ref).collect();
        match self.kind {
            GatherKind::Flush => reply::OK.to_vec(),
            GatherKind::Reset => reply::RESET.to_vec(),
            GatherKind::General => stats::general::render(shared, &reports),
            GatherKind::Items => stats::items::render(shared, &reports),
            GatherKind::Slabs => stats::slabs::render(&reports),
            GatherKind::Shards => stats::shards::render(shared, &reports),
            GatherKind::Conns => stats::conns::render(&mut self.conns),
        }
    }
}

/// `flush_all`.
pub(super) fn flush_all(conn: &mut Conn, delay: Option<i32>, noreply: bool, cx: &mut Cx<'_>) {
    cx.shared
        .cmd_flush
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if !cx.shared.config.flush_enabled {
        if !noreply {
            conn.say(reply::FLUSH_DISABLED, cx);
        }
        return;
    }
    let at = exptime::flush_at(delay, cx.access.now.0, cx.shared.clock.unix_origin()).map(Seconds);
    broadcast(conn, GatherKind::Flush, at, noreply, cx);
}

/// `stats` and its subcommands.
pub(super) fn stats(conn: &mut Conn, request: StatsRequest<'_>, cx: &mut Cx<'_>) {
    let kind = match request {
        StatsRequest::General => GatherKind::General,
        StatsRequest::Reset => {
            cx.shared.reset_counters();
            GatherKind::Reset
        }
        StatsRequest::Items => GatherKind::Items,
        StatsRequest::Slabs => GatherKind::Slabs,
        StatsRequest::Conns => return describe_conns(conn, cx),
        StatsRequest::Settings => {
            let lines = stats::settings::render(cx.shared);
            return conn.say(&lines, cx);
        }
        // Only with -o track_sizes, which is not there yet, are there sizes to show.
        StatsRequest::Sizes => return conn.say(b"STAT sizes_status disabled\r\nEND\r\n", cx),
        StatsRequest::Detail(_) => return later(conn, "stats detail", cx),
        StatsRequest::Cachedump { .. } => return later(conn, "stats cachedump", cx),
        StatsRequest::Other(b"shards") => GatherKind::Shards,
        StatsRequest::Other(_) => return conn.say(reply::ERROR, cx),
    };
    broadcast(conn, kind, None, false, cx);
}

fn later(conn: &mut Conn, name: &str, cx: &mut Cx<'_>) {
    let mut line = Vec::new();
    reply::not_supported_yet(&mut line, name);
    conn.say(&line, cx);
}

fn begin(conn: &mut Conn, kind: GatherKind, noreply: bool, cx: &Cx<'_>) -> ReplyTo {
    let seq = (!noreply).then(|| conn.replies.expect());
    conn.gather = Some(Box::new(Gather::new(kind, seq, cx.shared.shards.len())));
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
    noreply: bool,
    cx: &mut Cx<'_>,
) {
    let done = begin(conn, kind, noreply, cx);
    let op = Op {
        key: &[],
        hash: KeyHash(0),
        verb: kind.verb(at),
        reply: TEXT,
    };
    for shard in (0..cx.shared.shards.len() as u16).map(ShardId) {
        if shard != cx.access.shard {
            cx.router.push(shard, &op, Some(done));
        }
    }
    let report = execute(&mut cx.access, &op, &mut cx.unwanted);
    if let (Some(gather), Some(report)) = (conn.gather_mut(), report) {
        gather.add_report(report);
    }
    part_done(conn, cx);
}

/// `stats conns`: asked of the shards' network sides, which cannot be borrowed.
fn describe_conns(conn: &mut Conn, cx: &mut Cx<'_>) {
    let reply_to = begin(conn, GatherKind::Conns, false, cx);
    for shard in &cx.shared.shards {
        shard.post(Control::DescribeConns {
            origin: cx.access.shard,
            reply_to,
        });
    }
}

fn part_done(conn: &mut Conn, cx: &mut Cx<'_>) {
    if conn.gather_mut().is_some_and(Gather::done) {
        conn.finish_gather(cx.shared, &mut cx.spare);
    }
}

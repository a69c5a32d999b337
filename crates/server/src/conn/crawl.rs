//! A walk over all items that a connection has asked for. It goes shard after shard, step after step, as the
//! connection's output drains. Lists of connections and of prefixes may be long too and are told in the same way.
//!
//! | of | where the walk is | a step is taken by |
//! | --- | --- | --- |
//! | items, items of some classes | a cursor of the engine | an operation on the shard, or under a loan |
//! | connections | a number in the shard's table | the shard's network side, asked by message |
//! | prefixes of `stats detail` | the number of a prefix | all shards at once: their counts are added up |

use corecached_engine::{PageCursor, WalkCursor};
use corecached_protocol::dump as dump_line;
use corecached_protocol::reply;
use corecached_protocol::text::{CrawlTarget, CrawlerRequest};

use crate::cell::Pairs;
use crate::cell::walk::{Place, WalkStep};
use crate::dialect::Style;
use crate::dialect::dump::{self, Dump, DumpForm, Sizes, Walked};
use crate::dialect::notice::Notice;
use crate::ids::ShardId;
use crate::route::control::Control;
use crate::shared::Shared;
use crate::watch::PrefixRows;

use super::gather::{self, Gather};
use super::{Conn, Cx, Phase, Stop};

/// Most bytes that `stats cachedump` answers.
const CACHEDUMP_BYTES_MAX: usize = 2 << 20;
/// Sizes of `stats sizes` told in a step.
const SIZES_PER_STEP: usize = 256;
/// Bytes told in a step of a statistic that may be megabytes long.
const TOLD_BYTES_MAX: usize = 64 * 1024;

/// Memory of an entry of [`Sizes`]: its key, its count, and its part of a tree node that is two thirds full.
const SIZE_NODE_BYTES: usize = 24;

/// The purpose of a walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum CrawlKind {
    /// `lru_crawler metadump`.
    Metadump,
    /// `lru_crawler mgdump`.
    Mgdump,
    /// `stats cachedump`.
    Cachedump {
        /// Lines still wanted.
        limit: u32,
    },
    /// `stats sizes`; holds how its outcome is told.
    Sizes(Style<'static>),
    /// `stats conns`; holds how its outcome is told.
    Conns(Style<'static>),
    /// `stats detail dump`; holds how its outcome is told.
    Detail(Style<'static>),
}

impl CrawlKind {
    /// The place in a shard where a walk of this kind begins.
    fn start(self) -> Place {
        match self {
            CrawlKind::Metadump | CrawlKind::Mgdump | CrawlKind::Sizes(_) => {
                Place::Items(WalkCursor::default())
            }
            CrawlKind::Cachedump { .. } => Place::Pages(PageCursor::default()),
            CrawlKind::Conns(_) | CrawlKind::Detail(_) => Place::Number(0),
        }
    }
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Crawl {
    kind: CrawlKind,
    classes: u64,
    /// The shard being walked.
    shard: ShardId,
    place: Place,
    /// Bytes of all lines produced so far.
    bytes: usize,
    sizes: Sizes,
    /// Lines of prefixes that are not told yet. In binary all lines are one value, whose length comes first.
    lines: Vec<u8>,
    /// Bytes of `lines` that are told.
    told: usize,
    /// Whether all the lines that were wanted are there.
    is_full: bool,
}

impl Crawl {
    fn step(&self) -> WalkStep {
        WalkStep {
            place: self.place,
            classes: self.classes,
        }
    }

    fn dump(&self, shared: &Shared) -> Dump {
        Dump {
            form: match self.kind {
                CrawlKind::Metadump => DumpForm::Metadump,
                CrawlKind::Mgdump => DumpForm::Mgdump,
                CrawlKind::Cachedump { limit } => DumpForm::Cachedump {
                    limit,
                    bytes_max: CACHEDUMP_BYTES_MAX - self.bytes - reply::END.len(),
                },
                CrawlKind::Sizes(_) | CrawlKind::Conns(_) | CrawlKind::Detail(_) => DumpForm::Sizes,
            },
            unix_origin: shared.ground.clock.unix_origin(),
        }
    }

    /// Takes in the result of a step over items.
    pub(super) fn go_on(&mut self, walked: Walked) {
        self.bytes += walked.bytes;
        self.is_full |= walked.is_full;
        if let CrawlKind::Cachedump { limit } = &mut self.kind {
            *limit -= walked.lines;
        }
        for (size, count) in walked.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
        match walked.place {
            Some(place) => self.place = place,
            None => {
                self.place = self.kind.start();
                self.shard.0 += 1;
            }
        }
    }

    /// Takes in the counts of a step over prefixes.
    pub(super) fn add_prefixes(&mut self, rows: &PrefixRows, shared: &Shared) {
        for (prefix, counts) in shared.watch.prefixes_named(rows) {
            let counts = [counts.get, counts.hit, counts.set, counts.del];
            dump_line::prefix_line(&mut self.lines, &prefix, counts);
        }
    }

    /// Whether the walk answers a `stats` command.
    pub(super) fn is_statistic(&self) -> bool {
        matches!(
            self.kind,
            CrawlKind::Sizes(_) | CrawlKind::Conns(_) | CrawlKind::Detail(_)
        )
    }

    /// Bytes of heap memory that the walk holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Crawl>() + self.lines.capacity() + self.sizes.len() * SIZE_NODE_BYTES
    }

    fn is_done(&self, shared: &Shared) -> bool {
        self.is_full || usize::from(self.shard.0) == shared.route.len()
    }

    /// Whether the walk is a dump of the kind that may run only once at a time.
    fn is_exclusive(&self) -> bool {
        matches!(self.kind, CrawlKind::Metadump | CrawlKind::Mgdump)
    }

    /// Gives the walk up, since its connection closes.
    pub(super) fn abandon(&self, shared: &Shared) {
        if self.is_exclusive() {
            shared.crawler.end();
        }
    }
}

/// Begins `lru_crawler metadump` or `mgdump`.
pub(super) fn dump(conn: &mut Conn, request: CrawlerRequest, cx: &mut Cx<'_>) {
    let (kind, target, disabled, pipelined) = match request {
        CrawlerRequest::Metadump(target) => (
            CrawlKind::Metadump,
            target,
            reply::METADUMP_DISABLED,
            reply::METADUMP_PIPELINED,
        ),
        CrawlerRequest::Mgdump(target) => (
            CrawlKind::Mgdump,
            target,
            reply::MGDUMP_DISABLED,
            reply::MGDUMP_PIPELINED,
        ),
        _ => return,
    };
    let refusal = if !cx.shared.ground.tuning.lru_crawler.is_on() {
        reply::CRAWLER_DISABLED
    } else if !cx.shared.ground.config.dump_enabled {
        disabled
    } else if conn.owes_replies() {
        pipelined
    } else if let Err(refusal) = check_target(target) {
        refusal
    } else if !cx.shared.crawler.begin() {
        reply::CRAWLER_BUSY
    } else {
        conn.say(reply::OK, cx);
        return begin(conn, kind, target.classes(), cx);
    };
    conn.say(refusal, cx);
}

/// Makes all shards look for dead items; returns false if a crawl or a dump is running.
fn begin_crawl(shared: &Shared) -> bool {
    let Shared { crawler, route, .. } = shared;
    crawler.crawl(route.len(), || route.call_for_crawl())
}

/// `lru_crawler crawl`; returns the reply.
pub(super) fn crawl(target: CrawlTarget, cx: &Cx<'_>) -> &'static [u8] {
    if !cx.shared.ground.tuning.lru_crawler.is_on() {
        return reply::CRAWLER_DISABLED;
    }
    match check_target(target) {
        Err(refusal) => refusal,
        Ok(()) if target == CrawlTarget::Hash => reply::CRAWLER_UNKNOWN,
        Ok(()) if begin_crawl(cx.shared) => reply::OK,
        Ok(()) => reply::CRAWLER_BUSY,
    }
}

fn check_target(target: CrawlTarget) -> Result<(), &'static [u8]> {
    match target {
        CrawlTarget::BadClass => Err(reply::CRAWLER_BAD_CLASS),
        CrawlTarget::Classes(0) => Err(reply::CRAWLER_NOTHING),
        CrawlTarget::Classes(_) | CrawlTarget::Hash => Ok(()),
    }
}

/// Begins a walk. Its first step is taken when the connection goes on.
pub(super) fn begin(conn: &mut Conn, kind: CrawlKind, classes: u64, cx: &Cx<'_>) {
    debug_assert!(cx.shared.route.len() > 0, "there is a shard to walk");
    conn.phase = Phase::Crawl(Box::new(Crawl {
        kind,
        classes,
        shard: ShardId(0),
        place: kind.start(),
        bytes: 0,
        sizes: Sizes::new(),
        lines: Vec::new(),
        told: 0,
        is_full: false,
    }));
}

/// Takes the next step of the connection's walk.
pub(super) fn resume(conn: &mut Conn, cx: &mut Cx<'_>) -> Stop {
    let Phase::Crawl(mut crawl) = std::mem::take(&mut conn.phase) else {
        return Stop::Dry;
    };
    if let CrawlKind::Detail(Style::Text { .. }) = crawl.kind {
        conn.say(&crawl.lines, cx);
        crawl.lines.clear();
    }
    if crawl.is_done(cx.shared) {
        let is_over = finish(conn, &mut crawl, cx);
        if is_over {
            return Stop::Dry;
        }
        conn.phase = Phase::Crawl(crawl);
        return Stop::Later;
    }
    match crawl.kind {
        CrawlKind::Conns(style) => {
            ask_for_conns(conn, &crawl, style, cx);
            conn.phase = Phase::Crawl(crawl);
        }
        CrawlKind::Detail(_) => {
            let from = number(crawl.place);
            // In a server of one shard, the outcome is taken in before `prefixes` returns.
            conn.phase = Phase::Crawl(crawl);
            gather::prefixes(conn, from, cx);
        }
        _ => walk(conn, crawl, cx),
    }
    match conn.gather {
        Some(_) => Stop::Paused,
        None => Stop::Later,
    }
}

fn number(place: Place) -> u32 {
    match place {
        Place::Number(number) => number,
        Place::Items(_) | Place::Pages(_) => 0,
    }
}

/// Takes a step over items.
fn walk(conn: &mut Conn, mut crawl: Box<Crawl>, cx: &mut Cx<'_>) {
    let (step, dump) = (crawl.step(), crawl.dump(cx.shared));
    if crawl.shard != cx.access.shard {
        let reply_to = conn.expect_reply();
        cx.router.push_walk(crawl.shard, step, dump, reply_to);
        conn.gather = Some(Box::new(Gather::walk()));
        conn.phase = Phase::Crawl(crawl);
        return;
    }
    let Cx { access, spare, .. } = cx;
    let walked = conn.replies.write(spare, |out| {
        dump::step(access, &step, &dump, &mut out.bytes)
    });
    crawl.go_on(walked);
    conn.phase = Phase::Crawl(crawl);
}

/// Takes a step over connections. The shard's network side is asked by message, since it is borrowed at this moment.
fn ask_for_conns(conn: &mut Conn, crawl: &Crawl, style: Style<'static>, cx: &Cx<'_>) {
    let reply_to = conn.expect_reply();
    conn.gather = Some(Box::new(Gather::walk()));
    cx.shared
        .route
        .shard(crawl.shard)
        .post(Control::DescribeConns {
            origin: cx.access.shard,
            reply_to,
            from: number(crawl.place),
            style,
        });
}

/// Everything has been walked: tells the end of the reply, or a part of the end if it is long. Returns whether all of
/// it is told.
fn finish(conn: &mut Conn, crawl: &mut Crawl, cx: &mut Cx<'_>) -> bool {
    match crawl.kind {
        CrawlKind::Metadump | CrawlKind::Cachedump { .. } => {
            crawl.abandon(cx.shared);
            conn.say(reply::END, cx);
        }
        CrawlKind::Mgdump => {
            crawl.abandon(cx.shared);
            conn.say(corecached_protocol::meta::reply::EN, cx);
        }
        CrawlKind::Sizes(style) => {
            let mut pairs = Pairs::default();
            for _ in 0..SIZES_PER_STEP {
                let Some((size, count)) = crawl.sizes.pop_first() else {
                    break;
                };
                pairs.number(&size.to_string(), count);
            }
            conn.notice(style, Notice::Statistics(&pairs), cx);
            if !crawl.sizes.is_empty() {
                return false;
            }
            conn.notice(style, Notice::StatisticsEnd, cx);
        }
        CrawlKind::Conns(style) => conn.notice(style, Notice::StatisticsEnd, cx),
        CrawlKind::Detail(style) => return tell_prefixes(conn, crawl, style, cx),
    }
    true
}

/// Ends `stats detail dump`. In binary its lines are one value, under the name that memcached gives it.
fn tell_prefixes(
    conn: &mut Conn,
    crawl: &mut Crawl,
    style: Style<'static>,
    cx: &mut Cx<'_>,
) -> bool {
    if matches!(style, Style::Binary(_)) {
        let begins = crawl.told == 0;
        if begins {
            crawl.lines.extend_from_slice(reply::END);
        }
        let end = crawl.lines.len().min(crawl.told + TOLD_BYTES_MAX);
        conn.tell(cx, |out| {
            if begins {
                let begin = Notice::LongStatistic {
                    name: b"detailed",
                    value_bytes: crawl.lines.len(),
                };
                style.notice(begin, &mut out.bytes);
            }
            out.bytes.extend_from_slice(&crawl.lines[crawl.told..end]);
        });
        crawl.told = end;
        if end < crawl.lines.len() {
            return false;
        }
    }
    conn.notice(style, Notice::StatisticsEnd, cx);
    true
}

//! A walk over all items that a connection has asked for: shard after shard, step after step, as its output drains.

use corecached_engine::{KeyHash, WalkCursor};
use corecached_protocol::reply;
use corecached_protocol::text::{CrawlTarget, CrawlerRequest};

use crate::crawler::{Sizes, WalkForm, WalkStep};
use crate::execute::{Part, Walked, execute, statistics};
use crate::op::{Op, ReplyStyle, TEXT, Verb};
use crate::shard::ShardId;
use crate::shared::Shared;
use crate::stats::Pairs;

use super::gather::Gather;
use super::{Conn, Cx, Phase, Stop};

/// What `stats cachedump` answers at most.
const CACHEDUMP_BYTES_MAX: usize = 2 << 20;

/// What the items are walked for.
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
    /// `stats sizes`, and how its outcome is told.
    Sizes(ReplyStyle<'static>),
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Crawl {
    kind: CrawlKind,
    classes: u64,
    /// The shard being walked.
    shard: ShardId,
    cursor: WalkCursor,
    /// Bytes of lines so far.
    bytes: usize,
    sizes: Sizes,
    /// The lines that were wanted are all there.
    is_full: bool,
}

impl Crawl {
    fn step(&self, shared: &Shared) -> WalkStep {
        WalkStep {
            cursor: self.cursor,
            classes: self.classes,
            form: match self.kind {
                CrawlKind::Metadump => WalkForm::Metadump,
                CrawlKind::Mgdump => WalkForm::Mgdump,
                CrawlKind::Cachedump { limit } => WalkForm::Cachedump {
                    limit,
                    bytes_max: CACHEDUMP_BYTES_MAX - self.bytes - reply::END.len(),
                },
                CrawlKind::Sizes(_) => WalkForm::Sizes,
            },
            unix_origin: shared.clock.unix_origin(),
        }
    }

    /// Takes in what a step has come to.
    pub(super) fn go_on(&mut self, walked: Walked) {
        self.bytes += walked.bytes;
        self.is_full |= walked.is_full;
        if let CrawlKind::Cachedump { limit } = &mut self.kind {
            *limit -= walked.lines;
        }
        for (size, count) in walked.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
        match walked.cursor {
            Some(cursor) => self.cursor = cursor,
            None => {
                self.cursor = WalkCursor::default();
                self.shard.0 += 1;
            }
        }
    }

    fn is_done(&self, shared: &Shared) -> bool {
        self.is_full || usize::from(self.shard.0) == shared.shards.len()
    }

    /// Whether it is the one dump that may run at a time.
    fn is_exclusive(&self) -> bool {
        matches!(self.kind, CrawlKind::Metadump | CrawlKind::Mgdump)
    }

    /// The connection closes.
    pub(super) fn abandon(&self, shared: &Shared) {
        if self.is_exclusive() {
            shared.crawler.end();
        }
    }
}

/// `lru_crawler metadump` and `mgdump`.
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
    let refusal = if !cx.shared.tuning.lru_crawler.is_on() {
        reply::CRAWLER_DISABLED
    } else if !cx.shared.config.dump_enabled {
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

/// `lru_crawler crawl`.
pub(super) fn crawl(target: CrawlTarget, cx: &Cx<'_>) -> &'static [u8] {
    if !cx.shared.tuning.lru_crawler.is_on() {
        return reply::CRAWLER_DISABLED;
    }
    match check_target(target) {
        Err(refusal) => refusal,
        Ok(()) if target == CrawlTarget::Hash => reply::CRAWLER_UNKNOWN,
        Ok(()) if cx.shared.crawler.crawl(cx.shared) => reply::OK,
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

/// Begins a walk; its first step is taken when the connection goes on.
pub(super) fn begin(conn: &mut Conn, kind: CrawlKind, classes: u64, cx: &Cx<'_>) {
    debug_assert!(!cx.shared.shards.is_empty(), "there is a shard to walk");
    conn.phase = Phase::Crawl(Box::new(Crawl {
        kind,
        classes,
        shard: ShardId(0),
        cursor: WalkCursor::default(),
        bytes: 0,
        sizes: Sizes::new(),
        is_full: false,
    }));
}

/// Takes the next step.
pub(super) fn resume(conn: &mut Conn, cx: &mut Cx<'_>) -> Stop {
    let Phase::Crawl(mut crawl) = std::mem::take(&mut conn.phase) else {
        return Stop::Dry;
    };
    if crawl.is_done(cx.shared) {
        finish(conn, &crawl, cx);
        return Stop::Dry;
    }
    let op = Op {
        key: &[],
        hash: KeyHash(0),
        verb: Verb::Walk(crawl.step(cx.shared)),
        reply: TEXT,
    };
    if crawl.shard != cx.access.shard {
        let reply_to = conn.expect_reply();
        cx.router.push(crawl.shard, &op, Some(reply_to));
        conn.gather = Some(Box::new(Gather::walk()));
        conn.phase = Phase::Crawl(crawl);
        return Stop::Paused;
    }
    let Cx { access, spare, .. } = cx;
    let part = conn.replies.write(
        || spare.take().unwrap_or_default(),
        |out| execute(access, &op, out),
    );
    if let Some(Part::Walked(walked)) = part {
        crawl.go_on(walked);
    }
    conn.phase = Phase::Crawl(crawl);
    Stop::Yield
}

/// All has been shown.
fn finish(conn: &mut Conn, crawl: &Crawl, cx: &mut Cx<'_>) {
    crawl.abandon(cx.shared);
    match crawl.kind {
        CrawlKind::Metadump | CrawlKind::Cachedump { .. } => conn.say(reply::END, cx),
        CrawlKind::Mgdump => conn.say(corecached_protocol::meta::reply::EN, cx),
        CrawlKind::Sizes(style) => {
            let mut pairs = Pairs::default();
            for (size, count) in &crawl.sizes {
                pairs.number(&size.to_string(), *count);
            }
            conn.tell(cx, |out| statistics(&style, &pairs, out));
        }
    }
}

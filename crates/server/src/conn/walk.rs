//! Walks over all items, connections or prefixes: the commands that begin one, and its steps.

use corecached_protocol::reply;
use corecached_protocol::text::{CrawlTarget, CrawlerRequest};

use crate::operation::Pairs;
use crate::operation::walk::Place;
use crate::route::control::Control;
use crate::shared::Shared;
use crate::wire::Style;
use crate::wire::dump;
use crate::wire::notice::Notice;

use super::course::Stop;
use super::crawl::{Crawl, CrawlKind};
use super::gather::Gather;
use super::{Conn, Cx, Phase, broadcast};

/// Sizes of `stats sizes` told in a step.
const SIZES_PER_STEP: usize = 256;
/// Bytes told in a step of a statistic that may be megabytes long.
const TOLD_BYTES_MAX: usize = 64 * 1024;

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
    let refusal = if !cx.shared.globals.tuning.lru_crawler.is_on() {
        reply::CRAWLER_DISABLED
    } else if !cx.shared.globals.config.dump_enabled {
        disabled
    } else if conn.owes_replies() {
        pipelined
    } else if let Err(refusal) = check_target(target) {
        refusal
    } else if !cx.shared.crawler.begin() {
        reply::CRAWLER_BUSY
    } else {
        conn.reply(reply::OK, cx);
        return begin(conn, kind, target.classes(), cx);
    };
    conn.reply(refusal, cx);
}

/// Makes all shards look for dead items; returns false if a crawl or a dump is running.
fn begin_crawl(shared: &Shared) -> bool {
    let Shared { crawler, route, .. } = shared;
    crawler.crawl(route.len(), || route.call_for_crawl())
}

/// `lru_crawler crawl`; returns the reply.
pub(super) fn crawl(target: CrawlTarget, cx: &Cx<'_>) -> &'static [u8] {
    if !cx.shared.globals.tuning.lru_crawler.is_on() {
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
    conn.phase = Phase::Crawl(Box::new(Crawl::new(kind, classes)));
}

/// Takes the next step of the connection's walk.
pub(super) fn resume(conn: &mut Conn, cx: &mut Cx<'_>) -> Stop {
    let Phase::Crawl(mut crawl) = std::mem::take(&mut conn.phase) else {
        return Stop::Dry;
    };
    if let CrawlKind::Detail(Style::Text { .. }) = crawl.kind {
        conn.reply(&crawl.lines, cx);
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
            broadcast::prefixes(conn, from, cx);
        }
        _ => step(conn, crawl, cx),
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
fn step(conn: &mut Conn, mut crawl: Box<Crawl>, cx: &mut Cx<'_>) {
    let (step, dump) = (crawl.step(), crawl.dump(cx.shared));
    if crawl.shard != cx.access.shard {
        let reply_to = conn.expect_reply();
        cx.router.push_walk(crawl.shard, step, dump, reply_to);
        conn.gather = Some(Box::new(Gather::walk()));
        conn.phase = Phase::Crawl(crawl);
        return;
    }
    let Cx {
        access,
        reply_buffers,
        ..
    } = cx;
    let walked = conn.replies.write(reply_buffers, |out| {
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
            conn.reply(reply::END, cx);
        }
        CrawlKind::Mgdump => {
            crawl.abandon(cx.shared);
            conn.reply(corecached_protocol::meta::reply::EN, cx);
        }
        CrawlKind::Sizes(style) => {
            let mut pairs = Pairs::default();
            for _ in 0..SIZES_PER_STEP {
                let Some((size, count)) = crawl.sizes.pop_first() else {
                    break;
                };
                pairs.number(&size.to_string(), count);
            }
            conn.reply_notice(style, Notice::Statistics(&pairs), cx);
            if !crawl.sizes.is_empty() {
                return false;
            }
            conn.reply_notice(style, Notice::StatisticsEnd, cx);
        }
        CrawlKind::Conns(style) => conn.reply_notice(style, Notice::StatisticsEnd, cx),
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
        conn.reply_with(cx, |out| {
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
    conn.reply_notice(style, Notice::StatisticsEnd, cx);
    true
}

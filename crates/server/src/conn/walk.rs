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

use super::gather::Gather;
use super::step::Stop;
use super::walk_state::{Walk, WalkKind};
use super::{Conn, Cx, Phase, broadcast};

/// Sizes of `stats sizes` told in a step.
const SIZES_PER_STEP: usize = 256;
/// Bytes told in a step of a statistic that may be megabytes long.
const TOLD_BYTES_MAX: usize = 64 * 1024;

/// Begins `lru_crawler metadump` or `mgdump`.
pub(super) fn dump(conn: &mut Conn, request: CrawlerRequest, cx: &mut Cx<'_>) {
    let (kind, target, disabled, pipelined) = match request {
        CrawlerRequest::Metadump(target) => (
            WalkKind::Metadump,
            target,
            reply::METADUMP_DISABLED,
            reply::METADUMP_PIPELINED,
        ),
        CrawlerRequest::Mgdump(target) => (
            WalkKind::Mgdump,
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
pub(super) fn begin(conn: &mut Conn, kind: WalkKind, classes: u64, cx: &Cx<'_>) {
    debug_assert!(cx.shared.route.len() > 0, "there is a shard to walk");
    conn.phase = Phase::Walk(Box::new(Walk::new(kind, classes)));
}

/// Takes the next step of the connection's walk.
pub(super) fn resume(conn: &mut Conn, cx: &mut Cx<'_>) -> Stop {
    let Phase::Walk(mut walk) = std::mem::take(&mut conn.phase) else {
        return Stop::Dry;
    };
    if let WalkKind::Detail(Style::Text { .. }) = walk.kind {
        conn.reply(&walk.lines, cx);
        walk.lines.clear();
    }
    if walk.is_done(cx.shared) {
        let is_over = finish(conn, &mut walk, cx);
        if is_over {
            return Stop::Dry;
        }
        conn.phase = Phase::Walk(walk);
        return Stop::Later;
    }
    match walk.kind {
        WalkKind::Conns(style) => {
            ask_for_conns(conn, &walk, style, cx);
            conn.phase = Phase::Walk(walk);
        }
        WalkKind::Detail(_) => {
            let from = number(walk.place);
            // In a server of one shard, the outcome is taken in before `prefixes` returns.
            conn.phase = Phase::Walk(walk);
            broadcast::prefixes(conn, from, cx);
        }
        _ => step(conn, walk, cx),
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
fn step(conn: &mut Conn, mut walk: Box<Walk>, cx: &mut Cx<'_>) {
    let (step, dump) = (walk.step(), walk.dump(cx.shared));
    if walk.shard != cx.access.shard {
        let reply_to = conn.expect_reply();
        cx.router.push_walk(walk.shard, step, dump, reply_to);
        conn.gather = Some(Box::new(Gather::walk()));
        conn.phase = Phase::Walk(walk);
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
    walk.go_on(walked);
    conn.phase = Phase::Walk(walk);
}

/// Takes a step over connections. The shard's network side is asked by message, since it is borrowed at this moment.
fn ask_for_conns(conn: &mut Conn, walk: &Walk, style: Style<'static>, cx: &Cx<'_>) {
    let reply_to = conn.expect_reply();
    conn.gather = Some(Box::new(Gather::walk()));
    cx.shared
        .route
        .shard(walk.shard)
        .post(Control::DescribeConns {
            origin: cx.access.shard,
            reply_to,
            from: number(walk.place),
            style,
        });
}

/// Everything has been walked: tells the end of the reply, or a part of the end if it is long. Returns whether all of
/// it is told.
fn finish(conn: &mut Conn, walk: &mut Walk, cx: &mut Cx<'_>) -> bool {
    match walk.kind {
        WalkKind::Metadump | WalkKind::Cachedump { .. } => {
            walk.abandon(cx.shared);
            conn.reply(reply::END, cx);
        }
        WalkKind::Mgdump => {
            walk.abandon(cx.shared);
            conn.reply(corecached_protocol::meta::reply::EN, cx);
        }
        WalkKind::Sizes(style) => {
            let mut pairs = Pairs::default();
            for _ in 0..SIZES_PER_STEP {
                let Some((size, count)) = walk.sizes.pop_first() else {
                    break;
                };
                pairs.number(&size.to_string(), count);
            }
            conn.reply_notice(style, Notice::Statistics(&pairs), cx);
            if !walk.sizes.is_empty() {
                return false;
            }
            conn.reply_notice(style, Notice::StatisticsEnd, cx);
        }
        WalkKind::Conns(style) => conn.reply_notice(style, Notice::StatisticsEnd, cx),
        WalkKind::Detail(style) => return tell_prefixes(conn, walk, style, cx),
    }
    true
}

/// Ends `stats detail dump`. In binary its lines are one value, under the name that memcached gives it.
fn tell_prefixes(conn: &mut Conn, walk: &mut Walk, style: Style<'static>, cx: &mut Cx<'_>) -> bool {
    if matches!(style, Style::Binary(_)) {
        let begins = walk.sent_bytes == 0;
        if begins {
            walk.lines.extend_from_slice(reply::END);
        }
        let end = walk.lines.len().min(walk.sent_bytes + TOLD_BYTES_MAX);
        conn.reply_with(cx, |out| {
            if begins {
                let begin = Notice::LongStatistic {
                    name: b"detailed",
                    value_bytes: walk.lines.len(),
                };
                style.notice(begin, &mut out.bytes);
            }
            out.bytes
                .extend_from_slice(&walk.lines[walk.sent_bytes..end]);
        });
        walk.sent_bytes = end;
        if end < walk.lines.len() {
            return false;
        }
    }
    conn.reply_notice(style, Notice::StatisticsEnd, cx);
    true
}

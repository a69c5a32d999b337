//! Commands that change settings while the server runs: `slabs automove`, `lru`, `lru_crawler`, `debugtime`.

use corecached_protocol::reply;
use corecached_protocol::text::{CrawlerRequest, DebugTime, LruRequest, SlabsRequest};

use crate::conn::{Conn, Cx, broadcast, walk};
use crate::dialect::Style;

/// `slabs`.
pub(super) fn slabs(conn: &mut Conn, request: SlabsRequest, noreply: bool, cx: &mut Cx<'_>) {
    let tuning = &cx.shared.ground.tuning;
    match request {
        SlabsRequest::Reassign(_) if !cx.shared.ground.config.slab_reassign => {
            return conn.say_unless(noreply, reply::REASSIGN_DISABLED, cx);
        }
        SlabsRequest::Reassign(None) => {
            return conn.say_unless(noreply, reply::BAD_FORMAT, cx);
        }
        SlabsRequest::Reassign(Some(classes)) => {
            return broadcast::reassign(conn, classes, Style::text_unless(noreply), cx);
        }
        SlabsRequest::Automove(level) => tuning.slab_automove.set(level),
        SlabsRequest::AutomoveRatio(ratio) => tuning.slab_automove_ratio.set(ratio),
        SlabsRequest::AutomoveFreeRatio(ratio) => tuning.slab_automove_freeratio.set(ratio),
        SlabsRequest::AutomoveWindow(seconds) => tuning.slab_automove_window.set(seconds),
    }
    conn.say_unless(noreply, reply::OK, cx);
}

/// `lru`.
pub(super) fn lru(conn: &mut Conn, request: LruRequest, noreply: bool, cx: &mut Cx<'_>) {
    let tuning = &cx.shared.ground.tuning;
    match request {
        LruRequest::Tune {
            hot_pct,
            warm_pct,
            hot_factor,
            warm_factor,
        } => {
            tuning.hot_lru_pct.set(hot_pct);
            tuning.warm_lru_pct.set(warm_pct);
            tuning.hot_max_factor.set(hot_factor);
            tuning.warm_max_factor.set(warm_factor);
        }
        _ if !cx.shared.ground.config.lru_maintainer => {
            return conn.say_unless(noreply, reply::ERROR, cx);
        }
        LruRequest::Segmented(on) => {
            tuning.lru_segmented.set(on);
        }
        LruRequest::TempTtl(seconds) => {
            tuning.temp_lru.set(seconds.is_some());
            if let Some(seconds) = seconds {
                tuning.temporary_ttl.set(seconds);
            }
        }
    }
    conn.say_unless(noreply, reply::OK, cx);
}

/// `lru_crawler`.
pub(super) fn lru_crawler(
    conn: &mut Conn,
    request: CrawlerRequest,
    noreply: bool,
    cx: &mut Cx<'_>,
) {
    let tuning = &cx.shared.ground.tuning;
    let line = match request {
        CrawlerRequest::Enable if tuning.lru_crawler.turn_on() => reply::CRAWLER_NOT_STARTED,
        CrawlerRequest::Enable => reply::OK,
        CrawlerRequest::Disable => {
            tuning.lru_crawler.turn_off();
            reply::OK
        }
        CrawlerRequest::Sleep(microseconds) => {
            tuning.lru_crawler_sleep.set(microseconds);
            reply::OK
        }
        CrawlerRequest::ToCrawl(items) => {
            tuning.lru_crawler_tocrawl.set(items);
            reply::OK
        }
        CrawlerRequest::Crawl(target) => walk::crawl(target, cx),
        CrawlerRequest::Metadump(_) | CrawlerRequest::Mgdump(_) => {
            return walk::dump(conn, request, cx);
        }
    };
    conn.say_unless(noreply, line, cx);
}

/// `debugtime`.
pub(super) fn debugtime(conn: &mut Conn, time: DebugTime, noreply: bool, cx: &mut Cx<'_>) {
    let clock = &cx.shared.ground.clock;
    match time {
        _ if !cx.shared.ground.config.debugtime => {
            return conn.say_unless(noreply, reply::ERROR, cx);
        }
        DebugTime::Unknown => return conn.say_unless(noreply, reply::ERROR, cx),
        DebugTime::Pause => clock.pause(),
        DebugTime::Resume => clock.go_on(),
        DebugTime::Forward(seconds) => clock.set_forward(seconds),
    }
    conn.say_unless(noreply, reply::OK, cx);
}

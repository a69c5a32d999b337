//! Commands that change settings while the server runs: `slabs automove`, `lru`, `lru_crawler`, `debugtime`. They are
//! given the settings, and give the reply line: the connection is not theirs.

use corecached_protocol::reply;
use corecached_protocol::text::{CrawlerRequest, DebugTime, LruRequest, SlabsRequest};

use crate::base::Globals;

/// `slabs automove`, and a `slabs reassign` that is refused here: one that names two classes, where pages may be moved,
/// goes to all shards instead.
pub(super) fn slabs(request: SlabsRequest, globals: &Globals) -> &'static [u8] {
    let tuning = &globals.tuning;
    match request {
        SlabsRequest::Reassign(_) if !globals.config.slab_reassign => {
            return reply::REASSIGN_DISABLED;
        }
        SlabsRequest::Reassign(_) => return reply::BAD_FORMAT,
        SlabsRequest::Automove(level) => tuning.slab_automove.set(level),
        SlabsRequest::AutomoveRatio(ratio) => tuning.slab_automove_ratio.set(ratio),
        SlabsRequest::AutomoveFreeRatio(ratio) => tuning.slab_automove_freeratio.set(ratio),
        SlabsRequest::AutomoveWindow(seconds) => tuning.slab_automove_window.set(seconds),
    }
    reply::OK
}

/// `lru`.
pub(super) fn lru(request: LruRequest, globals: &Globals) -> &'static [u8] {
    let tuning = &globals.tuning;
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
        _ if !globals.config.lru_maintainer => return reply::ERROR,
        LruRequest::Segmented(on) => tuning.lru_segmented.set(on),
        LruRequest::TempTtl(seconds) => {
            tuning.temp_lru.set(seconds.is_some());
            if let Some(seconds) = seconds {
                tuning.temporary_ttl.set(seconds);
            }
        }
    }
    reply::OK
}

/// `lru_crawler`, as far as it changes settings; `None` for the forms that look at items.
pub(super) fn lru_crawler(request: CrawlerRequest, globals: &Globals) -> Option<&'static [u8]> {
    let tuning = &globals.tuning;
    match request {
        CrawlerRequest::Enable if tuning.lru_crawler.turn_on() => {
            return Some(reply::CRAWLER_NOT_STARTED);
        }
        CrawlerRequest::Enable => {}
        CrawlerRequest::Disable => tuning.lru_crawler.turn_off(),
        CrawlerRequest::Sleep(microseconds) => tuning.lru_crawler_sleep.set(microseconds),
        CrawlerRequest::ToCrawl(items) => tuning.lru_crawler_tocrawl.set(items),
        CrawlerRequest::Crawl(_) | CrawlerRequest::Metadump(_) | CrawlerRequest::Mgdump(_) => {
            return None;
        }
    }
    Some(reply::OK)
}

/// `debugtime`.
pub(super) fn debugtime(time: DebugTime, globals: &Globals) -> &'static [u8] {
    match time {
        _ if !globals.config.debugtime => return reply::ERROR,
        DebugTime::Unknown => return reply::ERROR,
        DebugTime::Pause => globals.clock.pause(),
        DebugTime::Resume => globals.clock.go_on(),
        DebugTime::Forward(seconds) => globals.clock.set_forward(seconds),
    }
    reply::OK
}

//! Requests of the administrative commands that have words of their own.

use corecached_protocol::reply;
use corecached_protocol::text::{
    CrawlTarget, CrawlerRequest, DebugTime, LruRequest, Parsed, Request, SlabsRequest, Streams,
    parse,
};

fn request(line: &str, check: impl FnOnce(Request<'_>)) {
    let line = format!("{line}\r\n");
    match parse(line.as_bytes()) {
        Parsed::Request { request, consumed } => {
            assert_eq!(consumed, line.len());
            check(request);
        }
        other => panic!("{line:?}: {other:?}"),
    }
}

fn is(line: &str, expected: Request<'static>) {
    request(line, |request| assert_eq!(request, expected, "{line:?}"));
}

fn error(line: &str, reply: &'static [u8]) {
    is(
        line,
        Request::Error {
            reply,
            swallow: 0,
            noreply: line.ends_with("noreply"),
            close: false,
        },
    );
}

fn watch(line: &str, streams: &[Streams]) {
    let streams = streams
        .iter()
        .fold(Streams::NOTHING, |all, &one| all.with(one));
    is(
        line,
        Request::Watch {
            streams: Ok(streams),
        },
    );
}

#[test]
fn streams_of_watch() {
    watch("watch", &[Streams::FETCHERS]);
    watch("watch fetchers", &[Streams::FETCHERS]);
    watch(
        "watch mutations evictions  deletions",
        &[Streams::MUTATIONS, Streams::EVICTIONS, Streams::DELETIONS],
    );
    watch(
        "watch connevents sysevents",
        &[Streams::CONNEVENTS, Streams::SYSEVENTS],
    );
    watch("watch rawcmds proxyreqs proxyevents proxyuser", &[]);
    watch("watch e", &[Streams::EVICTIONS]);
    for line in ["watch foo", "watch fetchers foo", "watch fetchersx"] {
        is(
            line,
            Request::Watch {
                streams: Err(reply::ERROR),
            },
        );
    }
}

fn slabs(line: &str, request: SlabsRequest) {
    let noreply = line.ends_with("noreply");
    is(line, Request::Slabs { request, noreply });
}

#[test]
fn slabs_commands() {
    slabs("slabs reassign 1 2", SlabsRequest::Reassign(Some((1, 2))));
    slabs("slabs r -1 0", SlabsRequest::Reassign(Some((-1, 0))));
    slabs("slabs reassign x 2", SlabsRequest::Reassign(None));
    slabs("slabs automove 0", SlabsRequest::Automove(0));
    slabs("slabs automove 2 noreply", SlabsRequest::Automove(2));
    slabs("slabs automove ratio 0.5", SlabsRequest::AutomoveRatio(0.5));
    slabs(
        "slabs automove freeratio 1e-2",
        SlabsRequest::AutomoveFreeRatio(0.01),
    );
    slabs("slabs automove window 3", SlabsRequest::AutomoveWindow(3));
    slabs(
        "slabs automove window 1800",
        SlabsRequest::AutomoveWindow(1800),
    );
    error("slabs automove window 2", reply::AUTOMOVE_WINDOW);
    error("slabs automove window 1801", reply::AUTOMOVE_WINDOW);
    error("slabs automove window", reply::BAD_FORMAT);
    error("slabs automove x", reply::BAD_FORMAT);
    error("slabs automove 3", reply::ERROR);
    error("slabs automove ratio", reply::ERROR);
    error("slabs automove ratio nan", reply::ERROR);
    for line in [
        "slabs",
        "slabs automove",
        "slabs reassign 1",
        "slabs reassign 1 2 3",
        "slabs foo 1 2",
        "slabs reassign 1 2 noreply",
    ] {
        error(line, reply::ERROR);
    }
}

fn lru(line: &str, request: LruRequest) {
    let noreply = line.ends_with("noreply");
    is(line, Request::Lru { request, noreply });
}

#[test]
fn lru_commands() {
    lru(
        "lru tune 10 25 0.1 2.0",
        LruRequest::Tune {
            hot_pct: 10,
            warm_pct: 25,
            hot_factor: 0.1,
            warm_factor: 2.0,
        },
    );
    lru("lru mode flat", LruRequest::Segmented(false));
    lru("lru mode segmented noreply", LruRequest::Segmented(true));
    lru("lru temp_ttl 90", LruRequest::TempTtl(Some(90)));
    lru("lru temp_ttl -1", LruRequest::TempTtl(None));
    error("lru tune 40 41 0.1 2.0", reply::LRU_TUNE_PERCENT);
    error("lru tune 4294967295 2 0.1 2.0", reply::LRU_TUNE_PERCENT);
    error("lru tune 10 25 0 2.0", reply::LRU_TUNE_FACTOR);
    error("lru tune 10 25 0.2 -1", reply::LRU_TUNE_FACTOR);
    for line in [
        "lru",
        "lru foo",
        "lru tune 10 25 0.1",
        "lru tune 10 25 0.1 x",
        "lru mode",
        "lru mode round",
        "lru temp_ttl x",
        "lru temp_ttl noreply",
    ] {
        error(line, reply::ERROR);
    }
}

fn crawler(line: &str, request: CrawlerRequest) {
    is(
        line,
        Request::LruCrawler {
            request,
            noreply: line.ends_with("noreply"),
        },
    );
}

#[test]
fn crawler_commands() {
    crawler("lru_crawler enable", CrawlerRequest::Enable);
    crawler("lru_crawler dis", CrawlerRequest::Disable);
    crawler(
        "lru_crawler sleep 1000000",
        CrawlerRequest::Sleep(1_000_000),
    );
    crawler("lru_crawler tocrawl 7", CrawlerRequest::ToCrawl(7));
    crawler(
        "lru_crawler crawl 1,5,63",
        CrawlerRequest::Crawl(CrawlTarget::Classes(1 << 1 | 1 << 5 | 1 << 63)),
    );
    crawler(
        "lru_crawler metadump all",
        CrawlerRequest::Metadump(CrawlTarget::ALL),
    );
    crawler(
        "lru_crawler metadump hash",
        CrawlerRequest::Metadump(CrawlTarget::Hash),
    );
    crawler(
        "lru_crawler mgdump ,",
        CrawlerRequest::Mgdump(CrawlTarget::Classes(0)),
    );
    for list in ["0", "64", "1,x", "-1", "allx", "1,,99"] {
        crawler(
            &format!("lru_crawler mgdump {list}"),
            CrawlerRequest::Mgdump(CrawlTarget::BadClass),
        );
    }
    error("lru_crawler sleep 1000001", reply::CRAWLER_SLEEP);
    error("lru_crawler sleep x", reply::BAD_FORMAT);
    error("lru_crawler tocrawl -1", reply::BAD_FORMAT);
    for line in [
        "lru_crawler",
        "lru_crawler foo",
        "lru_crawler crawl",
        "lru_crawler foo 1",
        "lru_crawler metadump all all",
        "lru_crawler metadump all noreply",
    ] {
        error(line, reply::ERROR);
    }
}

#[test]
fn clock_commands() {
    for (word, time) in [
        ("p", DebugTime::Pause),
        ("r", DebugTime::Resume),
        ("30", DebugTime::Forward(30)),
        ("-2", DebugTime::Forward(-2)),
        ("x", DebugTime::Unknown),
        ("", DebugTime::Unknown),
    ] {
        is(
            &format!("debugtime {word}"),
            Request::DebugTime {
                time,
                noreply: false,
            },
        );
    }
}

#[test]
fn without_a_flash_tier_extstore_is_no_command() {
    error("extstore item_size 512", reply::ERROR);
    error("extstore", reply::ERROR);
}

//! Commands that do not concern one key: statistics, settings, the end of a connection.

use corecached_protocol::event::CloseReason;
use corecached_protocol::reply;
use corecached_protocol::text::{CrawlerRequest, Request, ShutdownMode, SlabsRequest};

use crate::conn::step::Step;
use crate::conn::{Conn, Cx, broadcast, statistics, walk, watch};
use crate::route::control::Control;
use crate::wire::Style;

use super::tune;

/// Bounds of `cache_memlimit`, in MiB.
const MEMLIMIT_MEGABYTES: std::ops::RangeInclusive<u32> = 8..=1_000_000_000;

/// Executes a command that does not concern one key.
pub(super) fn command(
    conn: &mut Conn,
    request: &Request<'_>,
    line: usize,
    cx: &mut Cx<'_>,
) -> Step {
    match *request {
        Request::Version => conn.reply(reply::VERSION, cx),
        Request::MetaNoop => conn.reply(reply::MN, cx),
        Request::Verbosity { level, noreply } => {
            cx.shared.globals.set_verbosity(level as u8);
            crate::process::set_verbosity(level as u8);
            cx.shared.watch.show_lookups(level > 2);
            conn.reply_unless(noreply, reply::OK, cx);
        }
        Request::FlushAll { exptime, noreply } => {
            let delay = exptime.map(i64::from);
            broadcast::flush_all(conn, delay, Style::text_unless(noreply), cx);
        }
        Request::FlushUnreadable { noreply } => {
            broadcast::flush_unreadable(conn, Style::text_unless(noreply), cx);
        }
        Request::Stats(stats) => statistics::stats(conn, stats, Style::TEXT, cx),
        Request::CacheMemlimit { megabytes, noreply } => {
            let line = set_memory_limit(megabytes, cx);
            conn.reply_unless(noreply, line, cx);
        }
        Request::RefreshCerts { noreply } => {
            refresh_certificates(conn, noreply, cx);
        }
        Request::Shutdown { mode, noreply } => return shutdown(conn, mode, noreply, line, cx),
        Request::Slabs { request, noreply } => slabs(conn, request, noreply, cx),
        Request::Lru { request, noreply } => {
            let line = tune::lru(request, &cx.shared.globals);
            conn.reply_unless(noreply, line, cx);
        }
        Request::LruCrawler { request, noreply } => lru_crawler(conn, request, noreply, cx),
        Request::DebugTime { time, noreply } => {
            let line = tune::debugtime(time, &cx.shared.globals);
            conn.reply_unless(noreply, line, cx);
        }
        Request::Watch { streams } => watch::watch(conn, streams, cx),
        _ => unreachable_request(conn, cx),
    }
    Step::Used(line)
}

/// Answers a request that `command` does not handle as unknown. Such requests never come here, unless the parser learns
/// a new one.
fn unreachable_request(conn: &mut Conn, cx: &mut Cx<'_>) {
    debug_assert!(false, "a request without a handler");
    conn.reply(reply::ERROR, cx);
}

/// `slabs`: a page is moved by all shards, anything else is a setting.
fn slabs(conn: &mut Conn, request: SlabsRequest, noreply: bool, cx: &mut Cx<'_>) {
    match request {
        SlabsRequest::Reassign(Some(classes)) if cx.shared.globals.config.slab_reassign => {
            broadcast::reassign(conn, classes, Style::text_unless(noreply), cx);
        }
        request => {
            let line = tune::slabs(request, &cx.shared.globals);
            conn.reply_unless(noreply, line, cx);
        }
    }
}

/// `lru_crawler`: a dump is driven by the connection, anything else is answered at once.
fn lru_crawler(conn: &mut Conn, request: CrawlerRequest, noreply: bool, cx: &mut Cx<'_>) {
    let line = match request {
        CrawlerRequest::Crawl(target) => Some(walk::crawl(target, cx)),
        request => tune::lru_crawler(request, &cx.shared.globals),
    };
    match line {
        Some(line) => conn.reply_unless(noreply, line, cx),
        None => walk::dump(conn, request, cx),
    }
}

/// `refresh_certs`. The files are read beside the shards, on a thread that the shard's network side starts; the reply
/// comes when they are read.
fn refresh_certificates(conn: &mut Conn, noreply: bool, cx: &mut Cx<'_>) {
    if cx.shared.admission.tls.is_none() {
        return conn.reply_unless(noreply, reply::TLS_DISABLED, cx);
    }
    let reply_to = (!noreply).then(|| conn.expect_reply());
    let own = cx.shared.route.shard(cx.access.shard);
    own.post(Control::RefreshCertificates { reply_to });
}

fn set_memory_limit(megabytes: u32, cx: &Cx<'_>) -> &'static [u8] {
    if megabytes < *MEMLIMIT_MEGABYTES.start() {
        return reply::MEMLIMIT_TOO_SMALL;
    }
    if megabytes > *MEMLIMIT_MEGABYTES.end() {
        return reply::MEMLIMIT_NOT_BYTES;
    }
    cx.shared
        .memory
        .budget
        .set_limit_bytes(u64::from(megabytes) << 20);
    reply::OK
}

fn shutdown(
    conn: &mut Conn,
    mode: ShutdownMode,
    noreply: bool,
    line: usize,
    cx: &mut Cx<'_>,
) -> Step {
    let refusal = match mode {
        _ if !cx.shared.globals.config.shutdown_enabled => reply::SHUTDOWN_DISABLED,
        ShutdownMode::Unknown => reply::SHUTDOWN_MODE,
        ShutdownMode::Now => return end_process(conn, libc::SIGINT),
        ShutdownMode::Graceful => return end_process(conn, libc::SIGUSR1),
    };
    conn.reply_unless(noreply, refusal, cx);
    Step::Used(line)
}

fn end_process(conn: &mut Conn, signal: i32) -> Step {
    conn.close_event.reason = Some(CloseReason::Shutdown);
    crate::process::raise(signal);
    Step::Close
}

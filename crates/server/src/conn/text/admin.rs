//! Commands that are not about one key: statistics, settings, the end.

use std::borrow::Cow;

use corecached_protocol::event::CloseReason;
use corecached_protocol::reply;
use corecached_protocol::text::{Request, ShutdownMode};

use crate::conn::steps::Step;
use crate::conn::{Conn, Cx, gather, watch};
use crate::op::{ReplyStyle, TEXT};

use super::{say_unless, tune};

/// Bounds of `cache_memlimit`, in MiB.
const MEMLIMIT_MEGABYTES: std::ops::RangeInclusive<u32> = 8..=1_000_000_000;

/// Commands that are not about one key.
pub(super) fn command(
    conn: &mut Conn,
    request: &Request<'_>,
    line: usize,
    cx: &mut Cx<'_>,
) -> Step {
    match *request {
        Request::Version => conn.say(reply::VERSION, cx),
        Request::MetaNoop => conn.say(reply::MN, cx),
        Request::Verbosity { level, noreply } => {
            cx.shared.ground.set_verbosity(level as u8);
            crate::process::set_verbosity(level as u8);
            cx.shared.watch.show_lookups(level > 2);
            say_unless(conn, noreply, reply::OK, cx);
        }
        Request::FlushAll { exptime, noreply } => {
            let delay = exptime.map(i64::from);
            gather::flush_all(conn, delay, ReplyStyle::text_unless(noreply), cx);
        }
        Request::Stats(stats) => gather::stats(conn, stats, TEXT, cx),
        Request::CacheMemlimit { megabytes, noreply } => {
            let line = set_memory_limit(megabytes, cx);
            say_unless(conn, noreply, line, cx);
        }
        Request::RefreshCerts { noreply } => {
            let line = refresh_certificates(cx);
            say_unless(conn, noreply, &line, cx);
        }
        Request::Shutdown { mode, noreply } => return shutdown(conn, mode, noreply, line, cx),
        Request::Slabs { request, noreply } => tune::slabs(conn, request, noreply, cx),
        Request::Lru { request, noreply } => tune::lru(conn, request, noreply, cx),
        Request::LruCrawler { request, noreply } => tune::lru_crawler(conn, request, noreply, cx),
        Request::DebugTime { time, noreply } => tune::debugtime(conn, time, noreply, cx),
        Request::Watch { streams } => watch::watch(conn, streams, cx),
        _ => unreachable_request(conn, cx),
    }
    Step::Used(line)
}

/// Requests that `command` handles never come here; should the parser learn a new one, it is answered as unknown.
fn unreachable_request(conn: &mut Conn, cx: &mut Cx<'_>) {
    debug_assert!(false, "a request without a handler");
    conn.say(reply::ERROR, cx);
}

/// A few small files are read on the shard, as memcached reads them on its worker; SIGHUP does it beside the shards.
fn refresh_certificates(cx: &Cx<'_>) -> Cow<'static, [u8]> {
    let Some(tls) = &cx.shared.admission.tls else {
        return reply::TLS_DISABLED.into();
    };
    match tls.refresh(cx.access.now.0) {
        Ok(()) => reply::OK.into(),
        Err(error) => format!("{error}\r\n").into_bytes().into(),
    }
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
        _ if !cx.shared.ground.config.shutdown_enabled => reply::SHUTDOWN_DISABLED,
        ShutdownMode::Unknown => reply::SHUTDOWN_MODE,
        ShutdownMode::Now => return end_process(conn, libc::SIGINT),
        ShutdownMode::Graceful => return end_process(conn, libc::SIGUSR1),
    };
    say_unless(conn, noreply, refusal, cx);
    Step::Used(line)
}

fn end_process(conn: &mut Conn, signal: i32) -> Step {
    conn.parting.reason = Some(CloseReason::Shutdown);
    crate::process::raise(signal);
    Step::Close
}

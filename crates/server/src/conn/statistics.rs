//! `stats` and its subcommands: some are answered at once, some by all shards, and some by a walk.

use corecached_protocol::reply;
use corecached_protocol::text::{DetailMode, StatsRequest};

use crate::operation::Pairs;
use crate::stats;
use crate::wire::Style;
use crate::wire::notice::Notice;

use super::gather::GatherKind;
use super::walk_state::WalkKind;
use super::{Conn, Cx, broadcast, walk};

/// `stats` and its subcommands.
pub(super) fn stats(
    conn: &mut Conn,
    request: StatsRequest<'_>,
    style: Style<'static>,
    cx: &mut Cx<'_>,
) {
    let kind = match request {
        StatsRequest::General => GatherKind::General,
        StatsRequest::Reset => {
            cx.shared.reset_statistics();
            GatherKind::Reset
        }
        StatsRequest::Items => GatherKind::Items,
        StatsRequest::Slabs => GatherKind::Slabs,
        StatsRequest::Conns => return walk::begin(conn, WalkKind::Conns(style), 0, cx),
        StatsRequest::Settings => {
            let pairs = stats::settings::render(cx.shared);
            return conn.reply_with(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Sizes if cx.shared.globals.config.track_sizes => {
            return walk::begin(conn, WalkKind::Sizes(style), u64::MAX, cx);
        }
        StatsRequest::Sizes => {
            let mut pairs = Pairs::default();
            pairs.text("sizes_status", "disabled");
            return conn.reply_with(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Detail(_) if !cx.shared.globals.config.dump_enabled => {
            return conn.reply_notice(style, Notice::DetailRefused, cx);
        }
        StatsRequest::Detail(DetailMode::Dump) => {
            return walk::begin(conn, WalkKind::Detail(style), 0, cx);
        }
        StatsRequest::Detail(mode) => {
            let on = mode == DetailMode::On;
            cx.shared.globals.tuning.detail.set(on);
            cx.shared.watch.count_prefixes(on);
            // The requests that follow in the same pipeline are counted, or not counted, as this command says.
            cx.access.observer.sync(cx.access.engine);
            return conn.reply_notice(style, Notice::DetailTurned, cx);
        }
        StatsRequest::Cachedump { class, limit } => return cachedump(conn, class, limit, cx),
        StatsRequest::HotKeys { .. } if !cx.shared.globals.config.dump_enabled => {
            return conn.reply_notice(style, Notice::HotKeysRefused, cx);
        }
        StatsRequest::HotKeys { reset } => GatherKind::HotKeys { reset },
        StatsRequest::Mrc { reset: true } => {
            cx.shared.insight.reset();
            return conn.reply_notice(style, Notice::CountersReset, cx);
        }
        StatsRequest::Mrc { reset: false } => {
            let pairs = stats::mrc::render(cx.shared);
            return conn.reply_with(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Latency { reset: true } => {
            cx.shared.latency.reset();
            return conn.reply_notice(style, Notice::CountersReset, cx);
        }
        StatsRequest::Latency { reset: false } => {
            let pairs = stats::latency::render(cx.shared);
            return conn.reply_with(cx, |out| style.statistics(&pairs, &mut out.bytes));
        }
        StatsRequest::Other(b"shards") => GatherKind::Shards,
        StatsRequest::Other(b"memory") => GatherKind::Memory,
        StatsRequest::Other(_) => return conn.reply_notice(style, Notice::NoSuchStatistics, cx),
    };
    broadcast::broadcast(conn, kind, style, cx);
}

fn cachedump(conn: &mut Conn, class: u32, limit: u32, cx: &mut Cx<'_>) {
    if !cx.shared.globals.config.dump_enabled {
        return conn.reply(reply::CACHEDUMP_DISABLED, cx);
    }
    let kind = WalkKind::Cachedump {
        limit: match limit {
            0 => u32::MAX,
            limit => limit,
        },
    };
    walk::begin(conn, kind, 1 << class, cx);
}

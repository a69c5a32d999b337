//! Commands that concern every shard. They are sent to all shards and answered when the last shard has done its part.
//! Until then the connection executes nothing further, so that later commands on it see the effect.

use corecached_engine::{ReassignOutcome, Seconds};
use corecached_protocol::exptime;

use crate::operation::execute::run_on_shard;
use crate::operation::walk::Place;
use crate::watch::PREFIXES_PER_STEP;
use crate::wire::Style;
use crate::wire::dump::Walked;
use crate::wire::notice::Notice;

use super::gather::{Gather, GatherKind};
use super::{Conn, Cx};

/// The source that stands for any class in `slabs reassign`.
const ANY_CLASS: i32 = -1;

/// `flush_all`.
pub(super) fn flush_all(
    conn: &mut Conn,
    delay: Option<i64>,
    style: Style<'static>,
    cx: &mut Cx<'_>,
) {
    if !may_flush(conn, style, cx) {
        return;
    }
    let at = exptime::flush_at(
        delay,
        cx.access.now.0,
        cx.shared.globals.clock.unix_origin(),
    )
    .map(Seconds);
    cx.shared.insight.flush(at, cx.access.now);
    broadcast(conn, GatherKind::Flush { at }, style, cx);
}

/// `flush_all` with a delay that is no number.
pub(super) fn flush_unreadable(conn: &mut Conn, style: Style<'static>, cx: &mut Cx<'_>) {
    if may_flush(conn, style, cx) {
        conn.reply_notice(style, Notice::FlushUnreadable, cx);
    }
}

/// Counts a `flush_all`. If it is not allowed, that is answered; as in memcached it counts all the same, but for the
/// binary command.
fn may_flush(conn: &mut Conn, style: Style<'static>, cx: &mut Cx<'_>) -> bool {
    let is_allowed = cx.shared.globals.config.flush_enabled;
    if is_allowed || !matches!(style, Style::Binary(_)) {
        cx.shared.telemetry.flushed();
    }
    if !is_allowed {
        conn.reply_notice(style, Notice::FlushRefused, cx);
    }
    is_allowed
}

/// `slabs reassign`: each shard whose source class has a page to spare moves one page.
pub(super) fn reassign(
    conn: &mut Conn,
    (source, destination): (i32, i32),
    style: Style<'static>,
    cx: &mut Cx<'_>,
) {
    let class = |id: i32| u8::try_from(id).ok();
    let kind = match (source, class(source), class(destination)) {
        (_, _, None) => None,
        (ANY_CLASS, _, Some(destination)) => Some((None, destination)),
        (_, None, _) => None,
        (_, source, Some(destination)) => Some((source, destination)),
    };
    let Some((source, destination)) = kind else {
        let bad = [ReassignOutcome::BadClass];
        return conn.reply_notice(style, Notice::Reassigned(&bad), cx);
    };
    let kind = GatherKind::Reassign {
        source,
        destination,
    };
    broadcast(conn, kind, style, cx);
}

/// Asks every shard for its part of `kind`.
pub(super) fn broadcast(conn: &mut Conn, kind: GatherKind, style: Style<'static>, cx: &mut Cx<'_>) {
    let seq = (!style.is_none()).then(|| conn.expect_reply().seq);
    let gather = Gather::new(kind, seq, style, cx.shared.route.len());
    ask_all(conn, gather, cx);
}

/// A step of `stats detail dump`. Its outcome is taken in by the walk that the connection is in.
pub(super) fn prefixes(conn: &mut Conn, from: u32, cx: &mut Cx<'_>) {
    let next = from + PREFIXES_PER_STEP as u32;
    let kind = GatherKind::Prefixes { from };
    let mut gather = Gather::new(kind, None, Style::None, cx.shared.route.len());
    gather.add_walked(Walked {
        place: Some(Place::Number(next)),
        is_full: next >= cx.shared.watch.prefixes(),
        ..Walked::default()
    });
    ask_all(conn, gather, cx);
}

/// Asks every shard for its part; the connection's own shard gives its part at once.
fn ask_all(conn: &mut Conn, gather: Gather, cx: &mut Cx<'_>) {
    let op = gather.kind.op();
    conn.gather = Some(Box::new(gather));
    for shard in cx.shared.route.ids() {
        if shard != cx.access.shard {
            cx.router.push_shard_op(shard, &op, Some(conn.id));
        }
    }
    let outcome = run_on_shard(&mut cx.access, &op);
    if conn.gather_mut().is_some_and(|gather| {
        gather.add_outcome(outcome);
        gather.done()
    }) {
        conn.finish_gather(cx.shared, cx.reply_buffers);
    }
}

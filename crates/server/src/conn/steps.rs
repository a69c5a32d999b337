//! The loop over a connection's input, the same for every protocol: one step takes a request, a piece of a value, or
//! bytes to drop, until the input is used up or it is time to stop.

use corecached_protocol::Codec;

use super::step::{Step, Stop};
use super::upload::Progress;
use super::{Conn, Cx, Phase, binary, password, storing, text, walk};

/// Works on `bytes` until they are used up or it is time to stop. Returns how many bytes were used and why it stopped.
pub(super) fn consume(
    conn: &mut Conn,
    codec: Codec,
    bytes: &[u8],
    cx: &mut Cx<'_>,
) -> (usize, Stop) {
    let mut used = 0;
    let mut requests = 0;
    loop {
        if conn.is_paused() {
            return (used, Stop::Paused);
        }
        if requests >= cx.shared.globals.config.reqs_per_event
            || conn.output_is_full(cx)
            || cx.router.is_congested()
        {
            return (
                used,
                if used < bytes.len() || conn.is_mid_run() {
                    Stop::Yield
                } else {
                    Stop::Dry
                },
            );
        }
        requests += 1;
        match step(conn, codec, &bytes[used..], cx) {
            Step::Used(n) => used += n,
            Step::UsedRun {
                bytes,
                requests: more,
            } => {
                used += bytes;
                requests += more - 1;
            }
            Step::UsedAll(n, stop) => return (used + n, stop),
            Step::Incomplete => return (used, Stop::Dry),
            Step::Close => return (used, Stop::Close),
        }
    }
}

fn step(conn: &mut Conn, codec: Codec, rest: &[u8], cx: &mut Cx<'_>) -> Step {
    match &mut conn.phase {
        Phase::Command if rest.is_empty() => Step::Incomplete,
        Phase::Command => match codec {
            Codec::Binary => binary::command(conn, rest, cx),
            Codec::Text if conn.is_admitted() => text::command(conn, rest, cx),
            Codec::Text => password::command(conn, rest, cx),
        },
        Phase::Value(_) => value(conn, rest, cx),
        Phase::Swallow(_) => swallow(conn, rest),
        Phase::Keys(_) => text::go_on_with_keys(conn, rest, cx),
        Phase::Watching(_) => Step::UsedAll(rest.len(), Stop::Dry),
        Phase::Walk(_) => match walk::resume(conn, cx) {
            Stop::Dry => Step::Used(0),
            stop => Step::UsedAll(0, stop),
        },
    }
}

/// Works on more bytes of a large value.
fn value(conn: &mut Conn, bytes: &[u8], cx: &mut Cx<'_>) -> Step {
    match storing::go_on(conn, bytes, cx) {
        (used, Progress::Incomplete) => Step::UsedAll(used, Stop::Dry),
        (used, Progress::Waits) => Step::UsedAll(used, Stop::Later),
        (used, Progress::Awaits) => Step::UsedAll(used, Stop::Paused),
        (used, _) => Step::Used(used),
    }
}

fn swallow(conn: &mut Conn, bytes: &[u8]) -> Step {
    let Phase::Swallow(left) = &mut conn.phase else {
        return Step::Incomplete;
    };
    let dropped = bytes
        .len()
        .min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= dropped as u64;
    if *left == 0 {
        conn.phase = Phase::Command;
        return Step::Used(dropped);
    }
    Step::UsedAll(dropped, Stop::Dry)
}

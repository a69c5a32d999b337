//! `stats` and its subcommands.
//!
//! memcached compares only as many bytes as the client sent. So a word means the first of the names below that begins
//! with the word: `stats s` is `stats settings`. `items`, `slabs` and `sizes` are compared whole.

use super::request::{DetailMode, Request, StatsRequest};
use crate::number::strict_u32;
use crate::reply;
use crate::words::Words;

/// Slab classes are numbered below this, whatever the item sizes are.
const SLAB_CLASSES_MAX: u32 = 64;

/// Parses what follows the command word.
pub(super) fn parse(rest: &[u8]) -> Request<'_> {
    let mut words = Words::new(rest);
    let Some(name) = words.next() else {
        return Request::Stats(StatsRequest::General);
    };
    let begins = |full: &[u8]| full.starts_with(name);
    let stats = if begins(b"reset") {
        StatsRequest::Reset
    } else if begins(b"detail") {
        return parse_detail(words.next());
    } else if begins(b"settings") {
        StatsRequest::Settings
    } else if begins(b"cachedump") {
        return parse_cachedump(words);
    } else if begins(b"conns") {
        StatsRequest::Conns
    } else {
        match name {
            b"items" => StatsRequest::Items,
            b"slabs" => StatsRequest::Slabs,
            b"sizes" => StatsRequest::Sizes,
            b"hotkeys" => StatsRequest::HotKeys {
                reset: words.next() == Some(b"reset"),
            },
            b"mrc" => StatsRequest::Mrc {
                reset: words.next() == Some(b"reset"),
            },
            b"latency" => StatsRequest::Latency {
                reset: words.next() == Some(b"reset"),
            },
            other => StatsRequest::Other(other),
        }
    };
    Request::Stats(stats)
}

fn parse_detail(mode: Option<&[u8]>) -> Request<'static> {
    let begins = |full: &[u8]| mode.is_some_and(|mode| full.starts_with(mode));
    let mode = if begins(b"on") {
        DetailMode::On
    } else if begins(b"off") {
        DetailMode::Off
    } else if begins(b"dump") {
        DetailMode::Dump
    } else {
        return Request::error(reply::STATS_DETAIL_USAGE);
    };
    Request::Stats(StatsRequest::Detail(mode))
}

fn parse_cachedump(mut words: Words<'_>) -> Request<'_> {
    let (Some(class), Some(limit)) = (words.next(), words.next()) else {
        return Request::error(reply::CACHEDUMP_SHORT);
    };
    match (strict_u32(class), strict_u32(limit)) {
        (Some(class), Some(_)) if class >= SLAB_CLASSES_MAX => {
            Request::error(reply::CACHEDUMP_CLASS)
        }
        (Some(class), Some(limit)) => Request::Stats(StatsRequest::Cachedump { class, limit }),
        _ => Request::error(reply::BAD_FORMAT),
    }
}

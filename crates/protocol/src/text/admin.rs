//! `verbosity <level>`, `shutdown [graceful]`, `cache_memlimit <MB>`, `refresh_certs`.

use super::request::{Request, ShutdownMode};
use crate::number::strict_u32;
use crate::reply;
use crate::words::{Words, wants_no_reply};

/// Parses what follows `verbosity`.
pub(super) fn parse_verbosity(rest: &[u8]) -> Request<'_> {
    let noreply = wants_no_reply(rest);
    match Words::new(rest).next().and_then(strict_u32) {
        Some(level) => Request::Verbosity {
            level: level.min(Request::VERBOSITY_MAX),
            noreply,
        },
        None => Request::error_unless(noreply, reply::BAD_FORMAT),
    }
}

/// Parses what follows `shutdown`. Whether the command is allowed at all is checked before its mode, so an unknown
/// mode is not an error here.
pub(super) fn parse_shutdown(rest: &[u8]) -> Request<'_> {
    let mut words = Words::new(rest);
    let mode = match (words.next(), words.next()) {
        (None, _) => ShutdownMode::Now,
        (Some(word), None) if b"graceful".starts_with(word) => ShutdownMode::Graceful,
        _ => ShutdownMode::Unknown,
    };
    Request::Shutdown {
        mode,
        noreply: wants_no_reply(rest),
    }
}

/// Parses what follows `cache_memlimit`.
pub(super) fn parse_cache_memlimit(rest: &[u8]) -> Request<'_> {
    let noreply = wants_no_reply(rest);
    match Words::new(rest).next().and_then(strict_u32) {
        Some(megabytes) => Request::CacheMemlimit { megabytes, noreply },
        None => Request::error_unless(noreply, reply::ERROR),
    }
}

/// Parses what follows `refresh_certs`.
pub(super) fn parse_refresh_certs(rest: &[u8]) -> Request<'_> {
    Request::RefreshCerts {
        noreply: wants_no_reply(rest),
    }
}

//! Reply bytes of the text protocol: the only place where they are made.
//!
//! Fixed replies are constants with their line end. Everything else is appended to the caller's buffer without going
//! through `core::fmt`, and without allocating while the buffer has room.

/// The compatibility level that `version` answers; clients parse it as three numbers.
pub const COMPATIBILITY_VERSION: &str = "1.6.45";

/// Line end of every reply line.
pub const CRLF: &[u8] = b"\r\n";

/// Declares the replies of one word: as the line that a server sends, and in [`word`] as a client reads it.
macro_rules! one_word_replies {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $($(#[$doc])* pub const $name: &[u8] = concat!(stringify!($name), "\r\n").as_bytes();)*

        /// Replies of one word, without their line end.
        pub mod word {
            $($(#[$doc])* pub const $name: &[u8] = stringify!($name).as_bytes();)*
        }
    };
}

one_word_replies! {
    /// The item was stored.
    STORED,
    /// The condition of add, replace, append or prepend did not hold.
    NOT_STORED,
    /// The cas unique differs.
    EXISTS,
    /// No such item.
    NOT_FOUND,
    /// The item was deleted.
    DELETED,
    /// The item has its new deadline.
    TOUCHED,
    /// Done.
    OK,
    /// End of a retrieval or of statistics.
    END,
    /// Statistics were reset.
    RESET,
    /// Answer to `mn`.
    MN,
    /// Unknown command.
    ERROR,
}

/// `refresh_certs` on a server without TLS.
pub const TLS_DISABLED: &[u8] = b"Error TLS not enabled\r\n";
/// Answer to `version`.
pub const VERSION: &[u8] = b"VERSION 1.6.45\r\n";

/// Malformed command line.
pub const BAD_FORMAT: &[u8] = b"CLIENT_ERROR bad command line format\r\n";
/// The data block does not end in a line end.
pub const BAD_DATA_CHUNK: &[u8] = b"CLIENT_ERROR bad data chunk\r\n";
/// Exptime is not a number of 32 bits.
pub const INVALID_EXPTIME: &[u8] = b"CLIENT_ERROR invalid exptime argument\r\n";
/// Delta is not an unsigned number of 64 bits.
pub const INVALID_DELTA: &[u8] = b"CLIENT_ERROR invalid numeric delta argument\r\n";
/// The stored value is not a number.
pub const NON_NUMERIC: &[u8] = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
/// `flush_all` with `-F`.
pub const FLUSH_DISABLED: &[u8] = b"CLIENT_ERROR flush_all not allowed\r\n";
/// The item is larger than `-I`.
pub const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";
/// No memory for a storage command.
pub const OUT_OF_MEMORY_STORING: &[u8] = b"SERVER_ERROR out of memory storing object\r\n";
/// Memory was lost while a large value was read.
pub const OUT_OF_MEMORY_READING: &[u8] = b"SERVER_ERROR Out of memory during read\r\n";
/// No memory for incr or decr.
pub const OUT_OF_MEMORY: &[u8] = b"SERVER_ERROR out of memory\r\n";
/// More than `-c` connections.
pub const TOO_MANY_CONNECTIONS: &[u8] = b"ERROR Too many open connections\r\n";
/// A reply that may not be sent by UDP. Our own: memcached has no such limit.
pub const TOO_LARGE_FOR_UDP: &[u8] = b"SERVER_ERROR reply too large for UDP\r\n";

/// Anything but a `set` before authentication.
pub const UNAUTHENTICATED: &[u8] = b"CLIENT_ERROR unauthenticated\r\n";
/// More than 16 KiB of user and password.
pub const AUTH_TOKEN_TOO_LONG: &[u8] = b"CLIENT_ERROR auth token too long\r\n";
/// User and password without a space between them.
pub const AUTH_BAD_TOKEN: &[u8] = b"CLIENT_ERROR bad authentication token format\r\n";
/// User and password without a line end.
pub const AUTH_BAD_TERMINATION: &[u8] = b"CLIENT_ERROR bad command line termination\r\n";
/// No user has this name and password.
pub const AUTH_FAILURE: &[u8] = b"CLIENT_ERROR authentication failure\r\n";

/// `shutdown` without `-A`.
pub const SHUTDOWN_DISABLED: &[u8] = b"SERVER_ERROR: shutdown not enabled\r\n";
/// `shutdown` with an unknown mode.
pub const SHUTDOWN_MODE: &[u8] = b"CLIENT_ERROR invalid shutdown mode\r\n";
/// `cache_memlimit` below 8 MB.
pub const MEMLIMIT_TOO_SMALL: &[u8] = b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n";
/// `cache_memlimit` above 10^9 MB.
pub const MEMLIMIT_NOT_BYTES: &[u8] =
    b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n";
/// `cache_memlimit` with a limit that the server cannot take.
pub const MEMLIMIT_FAILED: &[u8] = b"MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n";
/// `stats detail` with any word but `on`, `off` and `dump`.
pub const STATS_DETAIL_USAGE: &[u8] = b"CLIENT_ERROR usage: stats detail on|off|dump\r\n";
/// `stats detail` with `-X`.
pub const STATS_DETAIL_DISABLED: &[u8] = b"CLIENT_ERROR stats detail not allowed\r\n";
/// `stats hotkeys` with `-X`.
pub const STATS_HOTKEYS_DISABLED: &[u8] = b"CLIENT_ERROR stats hotkeys not allowed\r\n";
/// `stats cachedump` with too few words.
pub const CACHEDUMP_SHORT: &[u8] = b"CLIENT_ERROR bad command line\r\n";
/// `stats cachedump` of a slab class that cannot exist.
pub const CACHEDUMP_CLASS: &[u8] = b"CLIENT_ERROR Illegal slab id\r\n";
/// `stats cachedump` with `-X`.
pub const CACHEDUMP_DISABLED: &[u8] = b"CLIENT_ERROR stats cachedump not allowed\r\n";

/// `watch` with `-W`.
pub const WATCH_DISABLED: &[u8] = b"CLIENT_ERROR watch commands not allowed\r\n";
/// `watch` behind commands whose replies are not sent yet.
pub const WATCH_PIPELINED: &[u8] = b"ERROR cannot pipeline other commands before watch\r\n";
/// More watchers than there may be.
pub const WATCHER_TOO_MANY: &[u8] = b"WATCHER_TOO_MANY log watcher limit reached\r\n";
/// `watch` where lines cannot be sent later: by UDP.
pub const WATCHER_FAILED: &[u8] = b"WATCHER_FAILED failed to add log watcher\r\n";
/// `slabs reassign` with `-o no_slab_reassign`.
pub const REASSIGN_DISABLED: &[u8] = b"CLIENT_ERROR slab reassignment disabled\r\n";
/// `slabs reassign` while another reassignment is under way.
pub const REASSIGN_BUSY: &[u8] = b"BUSY currently processing reassign request\r\n";
/// `slabs reassign` of a class that does not exist.
pub const REASSIGN_BAD_CLASS: &[u8] = b"BADCLASS invalid src or dst class id\r\n";
/// `slabs reassign` from a class that has too few pages.
pub const REASSIGN_NO_SPARE: &[u8] = b"NOSPARE source class has no spare pages\r\n";
/// `slabs reassign` from a class to itself.
pub const REASSIGN_SAME: &[u8] = b"SAME src and dst class are identical\r\n";
/// `slabs automove window` out of range.
pub const AUTOMOVE_WINDOW: &[u8] = b"CLIENT_ERROR automove window too low or too high\r\n";
/// `lru tune` with too large shares.
pub const LRU_TUNE_PERCENT: &[u8] = b"ERROR hot and warm pcts must not exceed 80\r\n";
/// `lru tune` with a factor that is not positive.
pub const LRU_TUNE_FACTOR: &[u8] = b"ERROR hot/warm age factors must be greater than 0\r\n";
/// `lru_crawler enable` when the crawler is enabled already.
pub const CRAWLER_NOT_STARTED: &[u8] = b"ERROR failed to start lru crawler thread\r\n";
/// `lru_crawler sleep` of more than a second.
pub const CRAWLER_SLEEP: &[u8] = b"CLIENT_ERROR sleep must be one second or less\r\n";
/// A crawl or dump while another is under way.
pub const CRAWLER_BUSY: &[u8] = b"BUSY currently processing crawler request\r\n";
/// A crawl of a class that cannot exist.
pub const CRAWLER_BAD_CLASS: &[u8] = b"BADCLASS invalid class id\r\n";
/// A crawl of no class.
pub const CRAWLER_NOTHING: &[u8] = b"NOTSTARTED no items to crawl\r\n";
/// A crawl in the order of the hash table, which only dumps know.
pub const CRAWLER_UNKNOWN: &[u8] = b"ERROR an unknown error happened\r\n";
/// A crawl or dump with the crawler turned off.
pub const CRAWLER_DISABLED: &[u8] = b"CLIENT_ERROR lru crawler disabled\r\n";
/// `lru_crawler metadump` with `-X`.
pub const METADUMP_DISABLED: &[u8] = b"ERROR metadump not allowed\r\n";
/// `lru_crawler mgdump` with `-X`.
pub const MGDUMP_DISABLED: &[u8] = b"ERROR key dump not allowed\r\n";
/// `lru_crawler metadump` behind commands whose replies are not sent yet.
pub const METADUMP_PIPELINED: &[u8] = b"ERROR cannot pipeline other commands before metadump\r\n";
/// `lru_crawler mgdump` behind commands whose replies are not sent yet.
pub const MGDUMP_PIPELINED: &[u8] = b"ERROR cannot pipeline other commands before mgdump\r\n";

/// Appends `VALUE <key> <client flags> <bytes>[ <cas>]\r\n`; the value and its line end follow.
#[inline]
pub fn value_header(
    out: &mut Vec<u8>,
    key: &[u8],
    client_flags: u32,
    value_bytes: usize,
    cas: Option<u64>,
) {
    // The longest header: 6 + 250 + 1 + 10 + 1 + 20 + 1 + 20 + 2.
    out.reserve(key.len() + 64);
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(key);
    if client_flags == 0 {
        out.extend_from_slice(b" 0 ");
    } else {
        out.push(b' ');
        number(out, client_flags);
        out.push(b' ');
    }
    number(out, value_bytes);
    if let Some(cas) = cas {
        out.push(b' ');
        number(out, cas);
    }
    out.extend_from_slice(CRLF);
}

/// Appends a decimal number.
#[inline]
pub fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number and a line end: the answer of incr and decr.
#[inline]
pub fn number_line(out: &mut Vec<u8>, value: u64) {
    number(out, value);
    out.extend_from_slice(CRLF);
}

/// Appends `STAT <name> <value>\r\n`.
pub fn stat_line(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
    out.extend_from_slice(b"STAT ");
    out.extend_from_slice(name.as_ref());
    out.push(b' ');
    out.extend_from_slice(value.as_ref());
    out.extend_from_slice(CRLF);
}

/// Appends `STAT <name> <number>\r\n`.
pub fn stat_number(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: impl itoa::Integer) {
    stat_line(out, name, itoa::Buffer::new().format(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn value_headers() {
        assert_eq!(
            written(|out| value_header(out, b"k", 0, 0, None)),
            "VALUE k 0 0\r\n"
        );
        assert_eq!(
            written(|out| value_header(out, b"key", 7, 12, Some(99))),
            "VALUE key 7 12 99\r\n"
        );
        let longest =
            written(|out| value_header(out, &[b'k'; 250], u32::MAX, usize::MAX, Some(u64::MAX)));
        assert!(longest.len() <= 250 + 64, "{}", longest.len());
    }

    #[test]
    fn lines() {
        assert_eq!(
            written(|out| number_line(out, u64::MAX)),
            "18446744073709551615\r\n"
        );
        assert_eq!(
            written(|out| stat_line(out, "domain_socket", "NULL")),
            "STAT domain_socket NULL\r\n"
        );
        assert_eq!(
            written(|out| stat_number(out, format!("{}:age", 3), -1)),
            "STAT 3:age -1\r\n"
        );
    }

    #[test]
    fn replies_of_one_word() {
        assert_eq!(
            (NOT_STORED, word::NOT_STORED),
            (&b"NOT_STORED\r\n"[..], &b"NOT_STORED"[..])
        );
    }

    #[test]
    fn the_version_reply_is_the_compatibility_level() {
        assert_eq!(
            VERSION,
            format!("VERSION {COMPATIBILITY_VERSION}\r\n").as_bytes()
        );
    }
}

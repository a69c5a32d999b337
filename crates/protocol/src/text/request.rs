//! The requests that a command line can make.

use super::debugtime::DebugTime;
use super::keys::Keys;
use super::lru::LruRequest;
use super::lru_crawler::CrawlerRequest;
use super::slabs::SlabsRequest;
use super::watch::Streams;
use crate::meta::MetaRequest;

/// One parsed command line. Keys are 1 to 250 bytes without spaces.
#[derive(Clone, Debug, PartialEq)]
pub enum Request<'a> {
    /// `get`, `gets`.
    Get {
        /// At least one key.
        keys: Keys<'a>,
        /// Whether hits carry their cas unique (`gets`).
        with_cas: bool,
    },
    /// `gat`, `gats`.
    GetAndTouch {
        /// New exptime of every hit.
        exptime: i32,
        /// At least one key.
        keys: Keys<'a>,
        /// Whether hits carry their cas unique (`gats`).
        with_cas: bool,
    },
    /// `get`, `gets`, `gat`, `gats` with so many keys that checking all of them would take long: a key may be too long,
    /// or there may be no key. [`super::KeyCheck`] checks the keys in steps, and [`super::Keys::resume`] takes them
    /// once they are found good.
    LongGet {
        /// The text in the place of the keys, to the end of the line.
        keys: &'a [u8],
        /// New exptime of every hit (`gat`, `gats`).
        exptime: Option<i32>,
        /// Whether hits carry their cas unique (`gets`, `gats`).
        with_cas: bool,
    },
    /// A storage command; `value_bytes` of data and `\r\n` follow.
    Store(StoreRequest<'a>),
    /// `touch`.
    Touch {
        /// The key.
        key: &'a [u8],
        /// The new exptime.
        exptime: i32,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `delete`.
    Delete {
        /// The key.
        key: &'a [u8],
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `incr`, `decr`.
    Arith {
        /// The key.
        key: &'a [u8],
        /// `incr` when true, `decr` when false.
        incr: bool,
        /// The number to add or subtract.
        delta: u64,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `flush_all`.
    FlushAll {
        /// The delay, see [`crate::exptime::flush_at`].
        exptime: Option<i32>,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `flush_all` with a delay that is no number: [`crate::reply::INVALID_EXPTIME`]. It counts as a `flush_all`, and
    /// the server has to check whether the command is allowed before it looks at the delay.
    FlushUnreadable {
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `version`.
    Version,
    /// `verbosity`.
    Verbosity {
        /// The level asked for, at most [`Request::VERBOSITY_MAX`].
        level: u32,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `quit`: close after pending replies; nothing after it runs.
    Quit,
    /// `mg`, `ms`, `md`, `ma`, `me`.
    Meta(MetaRequest<'a>),
    /// `mn`.
    MetaNoop,
    /// `shutdown`. The server has to check whether the command is allowed before it looks at the mode.
    Shutdown {
        /// How the process ends.
        mode: ShutdownMode,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `cache_memlimit`. The server has to check the range of the new limit.
    CacheMemlimit {
        /// The new limit in MiB.
        megabytes: u32,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `refresh_certs`: the files of certificates are to be read again.
    RefreshCerts {
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `stats` and its subcommands.
    Stats(StatsRequest<'a>),
    /// `watch`. The server has to check whether watching is allowed before it looks at the words.
    Watch {
        /// The streams, or the reply to words that are none.
        streams: Result<Streams, &'static [u8]>,
    },
    /// `slabs`.
    Slabs {
        /// The form of the command.
        request: SlabsRequest,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `lru`.
    Lru {
        /// The form of the command.
        request: LruRequest,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `lru_crawler`.
    LruCrawler {
        /// The form of the command.
        request: CrawlerRequest,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// `debugtime`, where it is allowed; elsewhere it is no command.
    DebugTime {
        /// The change to the clock.
        time: DebugTime,
        /// Whether the reply is suppressed.
        noreply: bool,
    },
    /// A line that is not a valid request.
    Error {
        /// The reply line; not to be sent when `noreply`.
        reply: &'static [u8],
        /// How many bytes after the line are dropped unread: the data block of a storage command and its line end.
        swallow: usize,
        /// Whether the reply is suppressed.
        noreply: bool,
        /// Whether the connection is closed, after pending replies have been sent.
        close: bool,
    },
}

impl Request<'_> {
    /// Highest level of `verbosity`; higher ones are cut to it.
    pub const VERBOSITY_MAX: u32 = 2;

    /// A line whose only effect is an error reply.
    pub(crate) const fn error(reply: &'static [u8]) -> Self {
        Request::Error {
            reply,
            swallow: 0,
            noreply: false,
            close: false,
        }
    }

    /// An error of a command line that was read far enough to know whether it wants a reply.
    pub(crate) const fn error_unless(noreply: bool, reply: &'static [u8]) -> Self {
        Request::Error {
            reply,
            swallow: 0,
            noreply,
            close: false,
        }
    }
}

/// A storage command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreRequest<'a> {
    /// The verb: one of the six storage commands.
    pub verb: StoreVerb,
    /// The key.
    pub key: &'a [u8],
    /// Client flags, cut to 32 bits.
    pub client_flags: u32,
    /// The exptime, cut to 32 bits.
    pub exptime: i32,
    /// Length of the value that follows, without its line end; at most 2^31 - 3.
    pub value_bytes: u32,
    /// The cas unique to compare with ([`StoreVerb::Cas`]), else 0.
    pub cas: u64,
    /// Whether the reply is suppressed.
    pub noreply: bool,
}

/// The storage commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreVerb {
    /// `set`.
    Set,
    /// `add`.
    Add,
    /// `replace`.
    Replace,
    /// `append`.
    Append,
    /// `prepend`.
    Prepend,
    /// `cas`.
    Cas,
}

impl StoreVerb {
    /// The command word.
    #[must_use]
    pub const fn word(self) -> &'static [u8] {
        match self {
            StoreVerb::Set => b"set",
            StoreVerb::Add => b"add",
            StoreVerb::Replace => b"replace",
            StoreVerb::Append => b"append",
            StoreVerb::Prepend => b"prepend",
            StoreVerb::Cas => b"cas",
        }
    }
}

/// How `shutdown` ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShutdownMode {
    /// As SIGINT does.
    Now,
    /// As SIGUSR1 does.
    Graceful,
    /// Another word: [`crate::reply::SHUTDOWN_MODE`].
    Unknown,
}

/// `stats` and its subcommands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatsRequest<'a> {
    /// `stats`: the general names.
    General,
    /// `stats reset`.
    Reset,
    /// `stats detail`.
    Detail(DetailMode),
    /// `stats settings`.
    Settings,
    /// `stats cachedump`.
    Cachedump {
        /// Slab class.
        class: u32,
        /// Most keys to show; 0 is all.
        limit: u32,
    },
    /// `stats conns`.
    Conns,
    /// `stats items`.
    Items,
    /// `stats slabs`.
    Slabs,
    /// `stats sizes`.
    Sizes,
    /// `stats hotkeys`, our own.
    HotKeys {
        /// Whether the counts begin anew.
        reset: bool,
    },
    /// `stats mrc`, our own.
    Mrc {
        /// Whether the counts begin anew.
        reset: bool,
    },
    /// `stats latency`, our own.
    Latency {
        /// Whether the counts begin anew.
        reset: bool,
    },
    /// Any other word: subcommands of the server's own, or `ERROR`.
    Other(&'a [u8]),
}

/// The forms of `stats detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetailMode {
    /// `on`.
    On,
    /// `off`.
    Off,
    /// `dump`.
    Dump,
}

//! `watch [<stream>...]`: the connection becomes a log of events.

use crate::reply;
use crate::words::Words;

/// A set of event streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Streams(u16);

/// The words of `watch` in the order in which memcached compares them: a client's word means the first of these that
/// begins with it. The streams of raw commands and of the proxy exist for their names only: memcached without its proxy
/// writes nothing to them either.
const WORDS: [(&str, Streams); 11] = [
    ("rawcmds", Streams::NOTHING),
    ("evictions", Streams::EVICTIONS),
    ("fetchers", Streams::FETCHERS),
    ("mutations", Streams::MUTATIONS),
    ("sysevents", Streams::SYSEVENTS),
    ("connevents", Streams::CONNEVENTS),
    ("proxyreqs", Streams::NOTHING),
    ("proxyevents", Streams::NOTHING),
    ("proxyuser", Streams::NOTHING),
    ("deletions", Streams::DELETIONS),
    // Our own, and the last, so that it takes no beginning of a word from memcached's.
    ("slow", Streams::SLOW),
];

impl Streams {
    /// No stream.
    pub const NOTHING: Streams = Streams(0);
    /// Lookups: `type=item_get`.
    pub const FETCHERS: Streams = Streams(1);
    /// Stores: `type=item_store`.
    pub const MUTATIONS: Streams = Streams(1 << 1);
    /// Live items removed for their memory: `type=eviction`.
    pub const EVICTIONS: Streams = Streams(1 << 2);
    /// Connections: `type=conn_new`, `type=conn_close`, `type=conntlserr`.
    pub const CONNEVENTS: Streams = Streams(1 << 3);
    /// Deletions that found their item: `type=deleted`.
    pub const DELETIONS: Streams = Streams(1 << 4);
    /// The server's own work: `type=lru_crawler`, `type=slab_move`.
    pub const SYSEVENTS: Streams = Streams(1 << 5);

    /// Commands that took long, our own: `type=slow`.
    pub const SLOW: Streams = Streams(1 << 6);

    /// The set as a number, for an atomic.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The inverse of [`Self::bits`].
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Streams(bits)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Streams) -> Streams {
        Streams(self.0 | other.0)
    }

    /// Whether the sets have a stream in common.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Streams) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    #[inline]
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

/// Parses what follows the command word; the error is the reply line.
pub(super) fn parse(rest: &[u8]) -> Result<Streams, &'static [u8]> {
    let mut streams = Streams::NOTHING;
    let mut words = Words::new(rest).peekable();
    if words.peek().is_none() {
        streams = Streams::FETCHERS;
    }
    for word in words {
        let known = WORDS
            .iter()
            .find(|(name, _)| name.as_bytes().starts_with(word));
        let (_, more) = known.ok_or(reply::ERROR)?;
        streams = streams.with(*more);
    }
    Ok(streams)
}

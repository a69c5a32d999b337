//! A walk over all items that a connection has asked for: how far it has come. It goes shard after shard, step after
//! step (`walk.rs`), as the connection's output drains. Lists of connections and of prefixes may be long too and are
//! told in the same way.
//!
//! | of | where the walk is | a step is taken by |
//! | --- | --- | --- |
//! | items, items of some classes | a cursor of the engine | an operation on the shard, or under a loan |
//! | connections | a number in the shard's table | the shard's network side, asked by message |
//! | prefixes of `stats detail` | the number of a prefix | all shards at once: their counts are added up |

use corecached_engine::{PageCursor, WalkCursor};
use corecached_protocol::dump as dump_line;
use corecached_protocol::reply;

use crate::ids::ShardId;
use crate::operation::walk::{Place, WalkStep};
use crate::shared::Shared;
use crate::watch::PrefixRows;
use crate::wire::Style;
use crate::wire::dump::{Dump, DumpForm, Sizes, Walked};

/// Most bytes that `stats cachedump` answers.
const CACHEDUMP_BYTES_MAX: usize = 2 << 20;

/// Memory of an entry of [`Sizes`]: its key, its count, and its part of a tree node that is two thirds full.
const SIZE_NODE_BYTES: usize = 24;

/// The purpose of a walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum WalkKind {
    /// `lru_crawler metadump`.
    Metadump,
    /// `lru_crawler mgdump`.
    Mgdump,
    /// `stats cachedump`.
    Cachedump {
        /// Lines still wanted.
        limit: u32,
    },
    /// `stats sizes`; holds how its outcome is told.
    Sizes(Style<'static>),
    /// `stats conns`; holds how its outcome is told.
    Conns(Style<'static>),
    /// `stats detail dump`; holds how its outcome is told.
    Detail(Style<'static>),
}

impl WalkKind {
    /// The place in a shard where a walk of this kind begins.
    fn start(self) -> Place {
        match self {
            WalkKind::Metadump | WalkKind::Mgdump | WalkKind::Sizes(_) => {
                Place::Items(WalkCursor::default())
            }
            WalkKind::Cachedump { .. } => Place::Pages(PageCursor::default()),
            WalkKind::Conns(_) | WalkKind::Detail(_) => Place::Number(0),
        }
    }
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) kind: WalkKind,
    pub(super) classes: u64,
    /// The shard being walked.
    pub(super) shard: ShardId,
    pub(super) place: Place,
    /// Bytes of all lines produced so far.
    pub(super) bytes: usize,
    pub(super) sizes: Sizes,
    /// Lines of prefixes that are not in the reply yet. In binary all lines are one value, whose length comes first.
    pub(super) lines: Vec<u8>,
    /// Bytes of `lines` that are in the reply.
    pub(super) sent_bytes: usize,
    /// Whether all the lines that were wanted are there.
    pub(super) is_full: bool,
}

impl Walk {
    /// A walk of which nothing is done yet.
    pub(super) fn new(kind: WalkKind, classes: u64) -> Walk {
        Walk {
            kind,
            classes,
            shard: ShardId(0),
            place: kind.start(),
            bytes: 0,
            sizes: Sizes::new(),
            lines: Vec::new(),
            sent_bytes: 0,
            is_full: false,
        }
    }

    pub(super) fn step(&self) -> WalkStep {
        WalkStep {
            place: self.place,
            classes: self.classes,
        }
    }

    pub(super) fn dump(&self, shared: &Shared) -> Dump {
        Dump {
            form: match self.kind {
                WalkKind::Metadump => DumpForm::Metadump,
                WalkKind::Mgdump => DumpForm::Mgdump,
                WalkKind::Cachedump { limit } => DumpForm::Cachedump {
                    limit,
                    bytes_max: CACHEDUMP_BYTES_MAX - self.bytes - reply::END.len(),
                },
                WalkKind::Sizes(_) | WalkKind::Conns(_) | WalkKind::Detail(_) => DumpForm::Sizes,
            },
            unix_origin: shared.globals.clock.unix_origin(),
        }
    }

    /// Takes in the result of a step over items.
    pub(super) fn go_on(&mut self, walked: Walked) {
        self.bytes += walked.bytes;
        self.is_full |= walked.is_full;
        if let WalkKind::Cachedump { limit } = &mut self.kind {
            *limit -= walked.lines;
        }
        for (size, count) in walked.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
        match walked.place {
            Some(place) => self.place = place,
            None => {
                self.place = self.kind.start();
                self.shard.0 += 1;
            }
        }
    }

    /// Takes in the counts of a step over prefixes.
    pub(super) fn add_prefixes(&mut self, rows: &PrefixRows, shared: &Shared) {
        for (prefix, counts) in shared.watch.prefixes_named(rows) {
            let counts = [counts.get, counts.hit, counts.set, counts.del];
            dump_line::prefix_line(&mut self.lines, &prefix, counts);
        }
    }

    /// Whether the walk answers a `stats` command.
    pub(super) fn is_statistic(&self) -> bool {
        matches!(
            self.kind,
            WalkKind::Sizes(_) | WalkKind::Conns(_) | WalkKind::Detail(_)
        )
    }

    /// Bytes of heap memory that the walk holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Walk>() + self.lines.capacity() + self.sizes.len() * SIZE_NODE_BYTES
    }

    pub(super) fn is_done(&self, shared: &Shared) -> bool {
        self.is_full || usize::from(self.shard.0) == shared.route.len()
    }

    /// Whether the walk is a dump of the kind that may run only once at a time.
    fn is_exclusive(&self) -> bool {
        matches!(self.kind, WalkKind::Metadump | WalkKind::Mgdump)
    }

    /// Gives the walk up, since its connection closes.
    pub(super) fn abandon(&self, shared: &Shared) {
        if self.is_exclusive() {
            shared.crawler.end();
        }
    }
}

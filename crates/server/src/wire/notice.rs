//! Replies to commands that do not concern one key, in the protocols that have them: statistics, `flush_all`, `slabs
//! reassign`.

use corecached_engine::ReassignOutcome;

use crate::operation::Pairs;

/// The outcome of a command that does not concern one key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notice<'a> {
    /// `flush_all` is done.
    Flushed,
    /// `flush_all` is not allowed.
    FlushRefused,
    /// The delay of a `flush_all` is no number.
    FlushUnreadable,
    /// `stats reset` is done.
    CountersReset,
    /// Statistics; more may follow.
    Statistics(&'a Pairs),
    /// All statistics have been told.
    StatisticsEnd,
    /// The beginning of a statistic whose value, of `value_bytes` bytes, follows; only the binary protocol has such a
    /// statistic.
    LongStatistic {
        /// Name of the statistic.
        name: &'static [u8],
        /// Length of the value.
        value_bytes: usize,
    },
    /// There are no statistics of the name that was asked for.
    NoSuchStatistics,
    /// `stats detail` is on now, or off.
    DetailTurned,
    /// `stats detail` is not allowed.
    DetailRefused,
    /// `stats hotkeys` is not allowed.
    HotKeysRefused,
    /// The results of `slabs reassign` on all shards.
    Reassigned(&'a [ReassignOutcome]),
}

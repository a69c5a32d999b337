//! For whom a page is emptied.

/// For whom a page is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For this shard, which is short of memory.
    Own,
    /// For another shard: the items that are evicted then do not show how long items stay in this one.
    Lent,
    /// For an operator: memory may be free, and then its items move there.
    Asked,
}

//! Which of memcached's protocols a connection speaks.

/// A protocol of memcached.
///
/// | | text | meta | binary |
/// | --- | --- | --- | --- |
/// | servers | all | 1.6 and later | all so far; deprecated |
/// | leases, stale values | no | yes | no |
/// | keys with spaces | no | yes | yes |
/// | replies are told apart by | the key of a hit | an opaque number | an opaque number |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The classic text commands.
    Text,
    /// Every request as a meta command (`mg`, `ms`, `md`, `ma`).
    #[default]
    Meta,
    /// Packets with a header of 24 bytes.
    Binary,
}

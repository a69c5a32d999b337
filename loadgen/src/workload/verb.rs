//! The operations a mix can contain. Each is also the class its latencies are recorded under.

use std::fmt;

/// One kind of request. The meta verbs are meta commands whatever `--protocol` says; the others are rendered in
/// the protocol of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verb {
    /// `get` of one key.
    Get,
    /// One request for several keys.
    MultiGet,
    /// `gets`: the first half of a cas operation.
    Gets,
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
    /// `cas`, with the unique of a `gets` just before.
    Cas,
    /// `incr` by 1.
    Incr,
    /// `decr` by 1.
    Decr,
    /// `delete`.
    Delete,
    /// `touch`.
    Touch,
    /// `gat`: get and touch.
    Gat,
    /// `mg`.
    MetaGet,
    /// `ms`.
    MetaSet,
    /// `md`.
    MetaDelete,
    /// `ma`.
    MetaArith,
}

/// The kind of values that a verb's keys hold. Each space has keys of its own, so that a counter never meets a
/// self-describing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySpace {
    /// Self-describing values: everything that reads or replaces whole values.
    Values,
    /// Decimal numbers: incr, decr, ma.
    Counters,
    /// Values that grow: append and prepend.
    Lists,
}

impl Verb {
    /// The number of verbs; the size of tables indexed by [`Verb::index`].
    pub const COUNT: usize = 18;

    /// All verbs, in the order of reports.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Get,
        Self::MultiGet,
        Self::Gets,
        Self::Set,
        Self::Add,
        Self::Replace,
        Self::Append,
        Self::Prepend,
        Self::Cas,
        Self::Incr,
        Self::Decr,
        Self::Delete,
        Self::Touch,
        Self::Gat,
        Self::MetaGet,
        Self::MetaSet,
        Self::MetaDelete,
        Self::MetaArith,
    ];

    /// The position in [`Verb::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in `--mix` and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::MultiGet => "multiget",
            Self::Gets => "gets",
            Self::Set => "set",
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Prepend => "prepend",
            Self::Cas => "cas",
            Self::Incr => "incr",
            Self::Decr => "decr",
            Self::Delete => "delete",
            Self::Touch => "touch",
            Self::Gat => "gat",
            Self::MetaGet => "mg",
            Self::MetaSet => "ms",
            Self::MetaDelete => "md",
            Self::MetaArith => "ma",
        }
    }

    /// The verb called `name`.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|verb| verb.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|verb| verb.name()).collect();
                format!("unknown operation '{name}' (one of: {})", names.join(", "))
            })
    }

    /// The keys this verb works on.
    #[must_use]
    pub fn key_space(self) -> KeySpace {
        match self {
            Self::Incr | Self::Decr | Self::MetaArith => KeySpace::Counters,
            Self::Append | Self::Prepend => KeySpace::Lists,
            _ => KeySpace::Values,
        }
    }

    /// Whether the request carries a self-describing value.
    #[must_use]
    pub fn writes_value(self) -> bool {
        matches!(
            self,
            Self::Set | Self::Add | Self::Replace | Self::Cas | Self::MetaSet
        )
    }

    /// Whether the request removes its item.
    #[must_use]
    pub fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::MetaDelete)
    }

    /// Whether a hit brings a value back.
    #[must_use]
    pub fn reads(self) -> bool {
        matches!(
            self,
            Self::Get | Self::MultiGet | Self::Gets | Self::Gat | Self::MetaGet
        )
    }

    /// Whether the request moves an item's deadline without writing its value.
    #[must_use]
    pub fn touches(self) -> bool {
        matches!(self, Self::Touch | Self::Gat)
    }

    /// Whether this is a meta command under every protocol.
    #[must_use]
    pub fn is_meta(self) -> bool {
        matches!(
            self,
            Self::MetaGet | Self::MetaSet | Self::MetaDelete | Self::MetaArith
        )
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_verbs() {
        for (index, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb.index(), index);
            assert_eq!(Verb::parse(verb.name()), Ok(verb));
        }
        assert!(Verb::parse("put").is_err());
    }
}

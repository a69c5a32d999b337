//! The protocols that loadgen speaks.

use clap::ValueEnum;

/// A protocol of memcached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Classic text; the meta verbs of a mix are meta commands on the same connections.
    Text,
    /// Every verb as a meta command.
    Meta,
    /// The binary protocol.
    Binary,
}

impl Protocol {
    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Meta => "meta",
            Self::Binary => "binary",
        }
    }
}

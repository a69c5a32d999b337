//! Every command word of memcached's text protocol, and whether this server has it. `docs/protocol.md` lists the same
//! words; a test compares the two.

/// A command word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The word that a line begins with.
    pub word: &'static str,
    /// Whether this server has it.
    pub status: CommandStatus,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandStatus {
    /// Behaves as memcached's.
    Supported,
    /// Recognised, and answered with [`crate::reply::not_supported_yet`].
    Later,
}

use CommandStatus::Supported;

const fn command(word: &'static str, status: CommandStatus) -> Command {
    Command { word, status }
}

/// The command words of memcached 1.6.45.
pub const COMMANDS: &[Command] = &[
    command("get", Supported),
    command("gets", Supported),
    command("gat", Supported),
    command("gats", Supported),
    command("set", Supported),
    command("add", Supported),
    command("replace", Supported),
    command("append", Supported),
    command("prepend", Supported),
    command("cas", Supported),
    command("delete", Supported),
    command("incr", Supported),
    command("decr", Supported),
    command("touch", Supported),
    command("flush_all", Supported),
    command("stats", Supported),
    command("version", Supported),
    command("verbosity", Supported),
    command("quit", Supported),
    command("mn", Supported),
    command("shutdown", Supported),
    command("cache_memlimit", Supported),
    command("mg", Supported),
    command("ms", Supported),
    command("md", Supported),
    command("ma", Supported),
    command("me", Supported),
    command("watch", Supported),
    command("slabs", Supported),
    command("lru", Supported),
    command("lru_crawler", Supported),
    command("extstore", Supported),
    command("refresh_certs", Supported),
    command("debugtime", Supported),
];

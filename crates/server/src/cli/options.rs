//! The options as clap knows them: letters, long names and help. Values stay text here; `apply.rs` reads them.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use super::error::CliError;
use super::text;

const SOCKETS: &str = "Where it listens";
const CONNECTIONS: &str = "Connections and shards";
const MEMORY: &str = "Memory";
const COMMANDS: &str = "Commands";
const PROCESS: &str = "Process";
const OTHER: &str = "Other";

/// A word of the command line as clap takes it: memcached declares that `--verbose` may have a value, and ignores it.
pub(super) fn without_ignored_value(word: OsString) -> OsString {
    let is_verbose = |name: &str| name.len() > "--ver".len() && "--verbose".starts_with(name);
    match word.to_str().and_then(|text| text.split_once('=')) {
        Some((name, _)) if is_verbose(name) => name.into(),
        _ => word,
    }
}

/// The whole command line.
pub(super) fn command() -> Command {
    Command::new("corecached")
        .no_binary_name(false)
        .disable_help_flag(true)
        .disable_version_flag(true)
        // getopt_long takes any unambiguous beginning of a long name, and the last one of repeated options.
        .infer_long_args(true)
        .args_override_self(true)
        .help_template("{before-help}{usage-heading} {usage}\n\n{all-args}\n")
        .override_usage("corecached [options]")
        .before_help(text::HELP_INTRODUCTION)
        .args(sockets())
        .args(connections())
        .args(memory())
        .args(commands())
        .args(process())
        .args(other())
        .arg(Arg::new("extra").num_args(0..).hide(true))
}

fn value(letter: char, long: &'static str, name: &'static str, help: &'static str) -> Arg {
    // getopt takes the next word as the value, even if it begins with a dash: `-p -1`.
    Arg::new(long)
        .short(letter)
        .long(long)
        .value_name(name)
        .help(help)
        .allow_hyphen_values(true)
}

fn flag(letter: char, long: &'static str, help: &'static str) -> Arg {
    Arg::new(long)
        .short(letter)
        .long(long)
        .help(help)
        .action(ArgAction::SetTrue)
}

fn sockets() -> Vec<Arg> {
    vec![
        value('p', "port", "num", "TCP port (default: 11211; 0: none, -1: the kernel chooses)"),
        value('l', "listen", "addr", "Addresses to listen on, separated by commas or repeated: host, host:port, [ipv6]:port, * for all (default: 127.0.0.1,[::1])")
            .action(ArgAction::Append),
        value('s', "unix-socket", "file", "Unix socket to listen on; then on nothing else: no TCP, no UDP"),
        value('a', "unix-mask", "mask", "Mode of the unix socket, in octal (default: 700)"),
        value('b', "listen-backlog", "num", "Connections that wait to be accepted (default: 1024)"),
        flag('Z', "enable-ssl", "Enable TLS/SSL; needs -o ssl_chain_cert"),
        value('U', "udp-port", "num", "UDP port (default: 0, none; -1: the kernel chooses); without -p it is the TCP port, too"),
    ]
    .into_iter()
    .map(|arg| arg.help_heading(SOCKETS))
    .collect()
}

fn connections() -> Vec<Arg> {
    vec![
        value(
            'c',
            "conn-limit",
            "num",
            "Connections at the same time (default: 1024)",
        )
        // The beginning that memcached takes, and that --cpus would make ambiguous.
        .alias("c"),
        value(
            't',
            "threads",
            "num",
            "Shards, each with its thread (default: one for each CPU that it may run on)",
        ),
        Arg::new("cpus")
            .long("cpus")
            .value_name("list")
            .help("CPUs of the shards, as in 0-3,8 (default: those that no other corecached has claimed; -o no_pin: none in particular)")
            .allow_hyphen_values(true),
        value(
            'R',
            "max-reqs-per-event",
            "num",
            "Requests of one connection before others have their turn (default: 20)",
        ),
        value(
            'B',
            "protocol",
            "name",
            "Protocol of connections: auto, ascii or binary (default: auto)",
        )
        // As above, beside --prefix-delimiter.
        .alias("pr"),
    ]
    .into_iter()
    .map(|arg| arg.help_heading(CONNECTIONS))
    .collect()
}

fn memory() -> Vec<Arg> {
    vec![
        value(
            'm',
            "memory-limit",
            "num",
            "Memory for items and their index, in megabytes (default: 64)",
        ),
        value(
            'I',
            "max-item-size",
            "num",
            "Largest item, in bytes or with k, m or g (default: 1m, min: 1k, max: 1024m)",
        ),
        flag(
            'M',
            "disable-evictions",
            "Answer with an error when memory is full instead of evicting items",
        ),
        value(
            'f',
            "slab-growth-factor",
            "num",
            "Factor between chunk sizes (default: chosen by the engine)",
        ),
        value(
            'n',
            "slab-min-size",
            "bytes",
            "Space for key and value in the smallest chunk (default: chosen by the engine)",
        ),
        flag('C', "disable-cas", "No cas uniques"),
        flag('L', "enable-largepages", "Ask for huge pages"),
        value(
            'e',
            "memory-file",
            "file",
            "Keep items in this file (on a tmpfs or DAX file system), so that they are there after a graceful restart (SIGUSR1)",
        ),
        flag(
            'k',
            "lock-memory",
            "Lock all memory, so that none is swapped out",
        ),
    ]
    .into_iter()
    .map(|arg| arg.help_heading(MEMORY))
    .collect()
}

fn commands() -> Vec<Arg> {
    vec![
        flag('S', "enable-sasl", "Turn on SASL authentication (PLAIN, binary protocol only); passwords in the file of MEMCACHED_SASL_PWDB"),
        value('Y', "auth-file", "file", "Enable ASCII protocol authentication (text protocols only). Up to 8 lines user:password"),
        flag('A', "enable-shutdown", "Allow the command \"shutdown\""),
        flag('F', "disable-flush-all", "Refuse the command \"flush_all\""),
        flag('X', "disable-dumping", "Refuse the commands that list keys"),
        flag('W', "disable-watch", "Refuse the command \"watch\""),
        // This option has no long form in memcached; ours is for the message of a missing value.
        value('D', "prefix-delimiter", "char", "Count per key prefix, which ends at this character (default: off, and : when \"stats detail on\" starts it)"),
    ]
    .into_iter()
    .map(|arg| arg.help_heading(COMMANDS))
    .collect()
}

fn process() -> Vec<Arg> {
    vec![
        flag('d', "daemon", "Run in the background"),
        value('P', "pidfile", "file", "Write the process id to this file"),
        value(
            'u',
            "user",
            "name",
            "Who to become when started as root (default: nobody)",
        ),
        flag('r', "enable-coredumps", "Raise the limit on core dumps"),
        flag(
            'v',
            "verbose",
            "Say more on stderr: -v warnings, -vv connections and requests, -vvv states",
        )
        .action(ArgAction::Count),
    ]
    .into_iter()
    .map(|arg| arg.help_heading(PROCESS))
    .collect()
}

fn other() -> Vec<Arg> {
    vec![
        value(
            'o',
            "extended",
            "list",
            "Extended options, separated by commas; see below",
        )
        .action(ArgAction::Append),
        flag('h', "help", "Print this and exit"),
        flag(
            'V',
            "version",
            "Print the version of memcached that this is compatible with, and its own, and exit",
        ),
        flag('i', "license", "Print the licence and exit"),
        value('N', "napi-ids", "num", "No effect")
            .alias("napi_ids")
            .hide(true),
    ]
    .into_iter()
    .map(|arg| arg.help_heading(OTHER))
    .collect()
}

/// clap's error in the words of getopt and memcached.
pub(super) fn explain(error: &clap::Error) -> CliError {
    let culprit = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(arg)) => arg.as_str(),
        _ => "",
    };
    // clap names an option with its value: `--port <num>`.
    let name = culprit.split(' ').next().unwrap_or(culprit);
    let complaint = match error.kind() {
        ErrorKind::UnknownArgument => match name.strip_prefix('-') {
            Some(letter) if !letter.starts_with('-') || letter == "-" => {
                format!("invalid option -- '{letter}'")
            }
            _ => format!("unrecognized option '{name}'"),
        },
        ErrorKind::InvalidValue | ErrorKind::TooFewValues | ErrorKind::NoEquals => {
            format!("option '{name}' requires an argument")
        }
        ErrorKind::TooManyValues => format!("option '{name}' doesn't allow an argument"),
        _ => error.kind().to_string(),
    };
    CliError::failure(format!("corecached: {complaint}\nIllegal argument \"?\""))
        .advising("-h lists all options and what they take")
}

//! From clap's matches to settings: reads each value and refuses the bad ones with memcached's words.

use clap::ArgMatches;
use std::path::PathBuf;

use crate::base::config::SHARD_BYTES_MAX;
use crate::base::cpus::Pinning;
use crate::base::cpus::{self, THREADS_MAX};
use crate::base::listeners::{BindingProtocol, ListenAddress, Port, TlsKind};

use super::draft::Draft;
use super::error::CliError;
use super::number::{leading_float, leading_integer, leading_octal, size_in_bytes};
use super::{address, auth, extended};

/// memcached warns above this number of threads.
const THREADS_ADVISED: usize = 64;

/// Applies all options.
pub(super) fn all(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    sockets(matches, draft)?;
    connections(matches, draft)?;
    auth::apply(matches, draft)?;
    memory(matches, draft)?;
    if !matches.contains_id("cpus") {
        enough_shards(draft, matches.contains_id("threads"));
    }
    commands(matches, draft)?;
    process(matches, draft)?;
    if matches.get_flag("enable-ssl") {
        draft.config.tls = TlsKind::Default;
    }
    for list in texts(matches, "extended") {
        extended::apply(list, draft)?;
    }
    if matches.contains_id("extra") {
        draft.note("arguments that are not options are ignored");
    }
    Ok(())
}

/// The value of an option. It may begin with white space, as it does if an option and its value are written as one
/// word: a YAML list with `- -m 64`, for instance.
fn text<'a>(matches: &'a ArgMatches, id: &str) -> Option<&'a str> {
    matches
        .get_one::<String>(id)
        .map(|value| value.trim_ascii_start())
}

fn texts<'a>(matches: &'a ArgMatches, id: &str) -> impl Iterator<Item = &'a str> {
    matches
        .get_many::<String>(id)
        .into_iter()
        .flatten()
        .map(|value| value.trim_ascii_start())
}

fn sockets(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    let config = &mut draft.config;
    if let Some(value) = text(matches, "port") {
        config.tcp_port = match matches.contains_id("unix-socket") {
            // Nothing listens there, whatever it is.
            true => port("-p", value).unwrap_or(Port::Off),
            false => port("-p", value)?,
        };
    }
    if let Some(value) = text(matches, "udp-port") {
        config.udp_port = match leading_integer(value) {
            // As in `-U "$UDP_PORT"` of a variable that is empty: no UDP.
            None => Port::Off,
            Some(_) => port("-U", value)?,
        };
        if config.udp_port != Port::Off && !matches.contains_id("port") {
            config.tcp_port = config.udp_port;
        }
    }
    if let Some(value) = text(matches, "unix-mask") {
        // Of a longer mode the last three digits count.
        config.unix_mask = (leading_octal(value) & 0o777) as u32;
    }
    if let Some(value) = text(matches, "listen-backlog") {
        // The kernel takes a negative number for the most that it allows.
        let backlog = leading_integer(value).unwrap_or(0);
        config.backlog = backlog.clamp(-1, i32::MAX.into()) as i32;
    }
    let lists: Vec<&str> = texts(matches, "listen").collect();
    if !lists.is_empty() {
        let addresses: Result<Vec<Vec<ListenAddress>>, CliError> =
            lists.iter().map(|list| address::parse_list(list)).collect();
        config.listen = addresses?.concat();
        config.listen_text = Some(lists.join(","));
    }
    if let Some(path) = text(matches, "unix-socket") {
        config.unix_socket = Some(PathBuf::from(path));
    }
    if config.listen.iter().any(|address| address.tag.is_some()) {
        draft.note("tags of -l have no effect in corecached");
    }
    for (id, option) in [
        ("unix-mask", "-a"),
        ("listen-backlog", "-b"),
        ("udp-port", "-U"),
    ] {
        if let Some(value) = text(matches, id) {
            draft.warn_of_word(option, value);
        }
    }
    Ok(())
}

/// A number of at least 1; the message is about any other value.
fn positive(option: &str, value: &str, message: &str) -> Result<u32, CliError> {
    match leading_integer(value) {
        Some(number @ 1..) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        _ => Err(CliError::failure(message).advising(format!(
            "{option} {value} is refused: {option} takes a number from 1 on"
        ))),
    }
}

fn port(option: &str, value: &str) -> Result<Port, CliError> {
    address::parse_port(value).map_err(|error| {
        error.advising(format!(
            "{option} takes a number from 1 to 65535, 0 for no port, or -1 for any that is free"
        ))
    })
}

fn connections(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    let config = &mut draft.config;
    if let Some(value) = text(matches, "conn-limit") {
        config.conn_limit = positive("-c", value, "Maximum connections must be greater than 0")?;
    }
    if let Some(value) = text(matches, "cpus") {
        config.cpus = cpus::parse_list(value).ok_or_else(|| {
            CliError::usage(format!("Invalid list of CPUs {value}: it is like 0-3,8"))
        })?;
        config.threads = config.cpus.len();
        config.pinning = Pinning::Listed;
    }
    if let Some(value) = text(matches, "threads") {
        config.threads =
            positive("-t", value, "Number of threads must be greater than 0")? as usize;
        if config.threads > THREADS_MAX {
            return Err(CliError::failure(format!(
                "Number of threads must be at most {THREADS_MAX}"
            )));
        }
        if config.threads > THREADS_ADVISED {
            draft.warnings.push(
                "WARNING: Setting a high number of worker threads is not recommended.\n \
                 Set this value to the number of cores in your machine or less."
                    .into(),
            );
        }
    }
    if let Some(value) = text(matches, "max-reqs-per-event") {
        config.reqs_per_event = positive(
            "-R",
            value,
            "Number of requests per event must be greater than 0",
        )?;
    }
    if let Some(value) = text(matches, "protocol") {
        config.binding_protocol = match value {
            "auto" => BindingProtocol::Auto,
            "ascii" => BindingProtocol::Ascii,
            "binary" => BindingProtocol::Binary,
            _ => {
                return Err(CliError::usage(format!(
                    "Invalid value for binding protocol: {value}\n -- should be one of auto, binary, or ascii"
                )));
            }
        };
    }
    if let Some(value) = text(matches, "napi-ids") {
        config.napi_ids = positive(
            "-N",
            value,
            "Maximum number of NAPI IDs must be greater than 0",
        )?;
        draft.note("-N has no effect in corecached");
    }
    Ok(())
}

fn memory(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    let config = &mut draft.config;
    if let Some(value) = text(matches, "memory-limit") {
        let megabytes = leading_integer(value).and_then(|number| u64::try_from(number).ok());
        config.memory_limit_bytes = megabytes
            .and_then(|number| number.checked_mul(1024 * 1024))
            .ok_or_else(|| {
                CliError::usage(format!("Invalid memory limit: {value}"))
                    .advising("-m takes a number of megabytes, such as 1024")
            })?;
    }
    if let Some(value) = text(matches, "max-item-size") {
        // A size that cannot be read is 0 for memcached, and refused as such.
        config.item_size_max = size_in_bytes(value).unwrap_or(0);
    }
    if let Some(value) = text(matches, "slab-growth-factor") {
        let factor = leading_float(value);
        if factor <= 1.0 {
            return Err(
                CliError::failure("Factor must be greater than 1").advising(format!(
                    "-f {value} is refused: -f takes a number above 1, such as 1.25"
                )),
            );
        }
        config.growth_factor = Some(factor);
    }
    if let Some(value) = text(matches, "slab-min-size") {
        config.chunk_size_min = Some(positive("-n", value, "Chunk size must be greater than 0")?);
    }
    config.evictions = !matches.get_flag("disable-evictions");
    config.cas_enabled = !matches.get_flag("disable-cas");
    config.large_pages = matches.get_flag("enable-largepages");
    config.lock_memory = matches.get_flag("lock-memory");
    config.memory_file = text(matches, "memory-file").map(PathBuf::from);
    Ok(())
}

/// Makes the shards as many as `-m` needs: memcached's threads hold any `-m` together.
fn enough_shards(draft: &mut Draft, is_asked: bool) {
    let config = &mut draft.config;
    let needed = config.memory_limit_bytes.div_ceil(SHARD_BYTES_MAX);
    let needed = usize::try_from(needed)
        .unwrap_or(THREADS_MAX)
        .min(THREADS_MAX);
    if config.threads >= needed {
        return;
    }
    if is_asked {
        draft.warnings.push(format!(
            "WARNING: -t {} becomes -t {needed}: a shard can use {} GiB, and -m asks for {} GiB",
            config.threads,
            SHARD_BYTES_MAX >> 30,
            config.memory_limit_bytes.div_ceil(1 << 30),
        ));
    }
    config.threads = needed;
}

fn commands(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    let config = &mut draft.config;
    config.shutdown_enabled = matches.get_flag("enable-shutdown");
    config.flush_enabled = !matches.get_flag("disable-flush-all");
    config.dump_enabled = !matches.get_flag("disable-dumping");
    config.watch_enabled = !matches.get_flag("disable-watch");
    if let Some(value) = text(matches, "prefix-delimiter") {
        // A value of nothing but white space is meant as it is.
        let given = matches.get_one::<String>("prefix-delimiter");
        let first = value.as_bytes().first();
        let first = first.or_else(|| given?.as_bytes().first());
        let Some(&delimiter) = first else {
            return Err(
                CliError::failure("No delimiter specified").advising("-D takes a character")
            );
        };
        config.prefix_delimiter = delimiter;
        config.detail_enabled = true;
    }
    Ok(())
}

fn process(matches: &ArgMatches, draft: &mut Draft) -> Result<(), CliError> {
    let config = &mut draft.config;
    config.verbosity = matches.get_count("verbose");
    config.daemonize = matches.get_flag("daemon");
    config.coredumps = matches.get_flag("enable-coredumps");
    config.user = text(matches, "user").map(str::to_owned);
    if let Some(path) = text(matches, "pidfile") {
        // The path is made absolute, because a daemon changes its directory before the file is removed. A path that
        // cannot be made so cannot be written either, which is said when it is tried, and no reason not to serve.
        config.pidfile = Some(std::path::absolute(path).unwrap_or_else(|_| path.into()));
    }
    Ok(())
}

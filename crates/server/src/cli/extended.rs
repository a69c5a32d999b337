//! The values of `-o`: a list of `name` or `name=value`, as `getsubopt` splits it.

use corecached_reactor::Io;

use crate::ground::config::{Config, EVICTION, Pinning, SLAB_PAGE_BYTES};

use super::number::{leading_float, leading_integer, whole_u32};
use super::{CliError, Draft, flash, ssl, unsupported};

type Switch = fn(&mut Config);
type Setter = fn(&mut Config, &str) -> Result<(), CliError>;

/// Sub-options that need no value; a value that is given is ignored.
const SWITCHES: [(&str, Switch); 25] = [
    ("maxconns_fast", |config| config.maxconns_fast = true),
    ("no_maxconns_fast", |config| config.maxconns_fast = false),
    ("no_hashexpand", |config| config.hash_expand = false),
    ("slab_reassign", |config| config.slab_reassign = true),
    ("no_slab_reassign", |config| config.slab_reassign = false),
    ("no_slab_automove", |config| config.slab_automove = 0),
    ("lru_crawler", |config| config.lru_crawler = true),
    ("no_lru_crawler", |config| config.lru_crawler = false),
    ("lru_maintainer", |config| {
        config.lru_maintainer = true;
        config.lru_segmented = true;
    }),
    ("no_lru_maintainer", |config| {
        config.lru_maintainer = false;
        config.lru_segmented = false;
    }),
    ("debugtime", |config| config.debugtime = true),
    ("no_pin", |config| config.pinning = Pinning::Never),
    ("prefault", |config| config.prefault = true),
    ("track_sizes", |config| config.track_sizes = true),
    ("no_hotkeys", |config| config.hot_keys = false),
    ("no_mrc", |config| config.estimates = false),
    ("no_chunked_items", |config| {
        config.slab_chunk_max = SLAB_PAGE_BYTES;
    }),
    // Every release moves the modern settings of the one before into the defaults, so nothing is left to turn on.
    ("modern", |_| {}),
    ("no_modern", no_modern),
    ("drop_privileges", |config| config.drop_privileges = true),
    ("no_drop_privileges", |config| {
        config.drop_privileges = false;
    }),
    ("relaxed_privileges", |_| {}),
    ("inline_ascii_resp", |_| {}),
    ("no_inline_ascii_resp", |_| {}),
    ("resp_obj_mem_limit", |_| {}),
];

/// Sub-options with a value, and memcached's message when the value is missing; the message is empty if it may be
/// missing.
const VALUES: [(&str, &str, Setter); 26] = [
    (
        "hashpower",
        "Missing numeric argument for hashpower",
        hashpower,
    ),
    ("slab_automove", "", slab_automove),
    (
        "slab_automove_ratio",
        "Missing slab_automove_ratio argument",
        slab_automove_ratio,
    ),
    (
        "slab_automove_window",
        "Missing slab_automove_window argument",
        slab_automove_window,
    ),
    (
        "tail_repair_time",
        "Missing numeric argument for tail_repair_time",
        tail_repair_time,
    ),
    (
        "hash_algorithm",
        "Missing hash_algorithm argument",
        hash_algorithm,
    ),
    (
        "lru_crawler_sleep",
        "Missing lru_crawler_sleep value",
        lru_crawler_sleep,
    ),
    (
        "lru_crawler_tocrawl",
        "Missing lru_crawler_tocrawl value",
        lru_crawler_tocrawl,
    ),
    (
        "hot_lru_pct",
        "Missing hot_lru_pct argument",
        |config, text| percentage(&mut config.hot_lru_pct, "hot_lru_pct", text),
    ),
    (
        "warm_lru_pct",
        "Missing warm_lru_pct argument",
        |config, text| percentage(&mut config.warm_lru_pct, "warm_lru_pct", text),
    ),
    (
        "hot_max_factor",
        "Missing hot_max_factor argument",
        |config, text| factor(&mut config.hot_max_factor, "hot_max_factor", text),
    ),
    (
        "warm_max_factor",
        "Missing warm_max_factor argument",
        |config, text| factor(&mut config.warm_max_factor, "warm_max_factor", text),
    ),
    (
        "temporary_ttl",
        "Missing temporary_ttl argument",
        temporary_ttl,
    ),
    (
        "idle_timeout",
        "Missing numeric argument for idle_timeout",
        idle_timeout,
    ),
    ("shard_port", "Missing shard_port argument", shard_port),
    ("eviction", "Missing eviction argument", eviction),
    ("io", "Missing io argument", io),
    (
        "udp_reply_max",
        "Missing udp_reply_max argument",
        |config, text| {
            config.udp_limits.reply_bytes_max = unsigned("udp_reply_max", text)?;
            Ok(())
        },
    ),
    ("udp_rate", "Missing udp_rate argument", |config, text| {
        config.udp_limits.bytes_per_second = unsigned("udp_rate", text)?;
        Ok(())
    }),
    (
        "watcher_logbuf_size",
        "Missing watcher_logbuf_size argument",
        |config, text| {
            kilobytes(
                &mut config.watcher_logbuf_bytes,
                "watcher_logbuf_size",
                text,
            )
        },
    ),
    (
        "worker_logbuf_size",
        "Missing worker_logbuf_size argument",
        |config, text| kilobytes(&mut config.worker_logbuf_bytes, "worker_logbuf_size", text),
    ),
    ("slab_sizes", "Missing slab_sizes argument", slab_sizes),
    (
        "slab_chunk_max",
        "Missing slab_chunk_max argument",
        slab_chunk_max,
    ),
    (
        "read_buf_mem_limit",
        "Missing read_buf_mem_limit argument",
        read_buf_mem_limit,
    ),
    (
        "conn_mem_limit",
        "Missing conn_mem_limit argument",
        conn_mem_limit,
    ),
    (
        "sock_cookie_id",
        "Missing sock_cookie_id argument",
        sock_cookie_id,
    ),
];

/// Sub-options that are accepted and change nothing here.
const WITHOUT_EFFECT: [&str; 22] = [
    "hashpower",
    "no_hashexpand",
    "hash_algorithm",
    "tail_repair_time",
    "slab_automove_ratio",
    "slab_automove_window",
    "lru_crawler_sleep",
    "lru_crawler_tocrawl",
    "lru_maintainer",
    "no_lru_maintainer",
    "hot_lru_pct",
    "warm_lru_pct",
    "hot_max_factor",
    "warm_max_factor",
    "temporary_ttl",
    "read_buf_mem_limit",
    "resp_obj_mem_limit",
    "inline_ascii_resp",
    "no_inline_ascii_resp",
    "drop_privileges",
    "no_drop_privileges",
    "relaxed_privileges",
];

/// The names of all sub-options, except those of flash storage and of features to come.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let switches = SWITCHES.iter().map(|(name, _)| *name);
    switches.chain(VALUES.iter().map(|(name, _, _)| *name))
}

/// Applies one `-o` to the settings.
pub(super) fn apply(list: &str, draft: &mut Draft) -> Result<(), CliError> {
    let mut rest = list;
    while !rest.is_empty() {
        let (suboption, after) = rest.split_once(',').unwrap_or((rest, ""));
        rest = after;
        // The list may be written over several lines, or with a blank after each comma.
        match suboption.trim_ascii_start() {
            "" if !suboption.is_empty() => {}
            suboption => apply_one(suboption, draft)?,
        }
    }
    Ok(())
}

fn apply_one(suboption: &str, draft: &mut Draft) -> Result<(), CliError> {
    let (name, value) = match suboption.split_once('=') {
        Some((name, value)) => (name, Some(value.trim_ascii_start())),
        None => (suboption, None),
    };
    if WITHOUT_EFFECT.contains(&name) {
        draft.note(format!("-o {name} has no effect in corecached"));
    }
    if let Some((_, switch)) = SWITCHES.iter().find(|(known, _)| *known == name) {
        switch(&mut draft.config);
        return Ok(());
    }
    if flash::apply(name, value)? {
        draft.note(format!("-o {name} has no effect without ext_path"));
        return Ok(());
    }
    if let Some((_, missing, set)) = VALUES.iter().find(|(known, _, _)| *known == name) {
        return match value {
            None if !missing.is_empty() => Err(CliError::failure(*missing)),
            value => set(&mut draft.config, value.unwrap_or("")),
        };
    }
    if let Some(set) = ssl::suboption(name, value, draft) {
        return set;
    }
    match unsupported::family(name) {
        Some(feature) => Err(unsupported::refuse(&format!("-o {name}"), feature)),
        None => Err(CliError::failure(format!(
            "Illegal suboption \"{suboption}\""
        ))),
    }
}

/// The defaults of memcached 1.4.
fn no_modern(config: &mut Config) {
    config.slab_reassign = false;
    config.slab_automove = 0;
    config.maxconns_fast = false;
    config.lru_segmented = false;
    config.hash_algorithm = "jenkins";
    config.lru_crawler = false;
    config.lru_maintainer = false;
    config.slab_chunk_max = SLAB_PAGE_BYTES;
}

/// A number that memcached reads with `atoi`; words are refused.
fn number(name: &str, text: &str) -> Result<i64, CliError> {
    leading_integer(text)
        .ok_or_else(|| CliError::failure(format!("{name} takes a number, not \"{text}\"")))
}

/// A number as above that is 0 or more.
fn unsigned(name: &str, text: &str) -> Result<u32, CliError> {
    u32::try_from(number(name, text)?)
        .map_err(|_| CliError::failure(format!("{name} must be between 0 and {}", u32::MAX)))
}

fn unparsable(name: &str) -> CliError {
    CliError::failure(format!("could not parse argument to {name}"))
}

fn hashpower(config: &mut Config, text: &str) -> Result<(), CliError> {
    let power = leading_integer(text).unwrap_or(0);
    if power < 12 {
        return Err(CliError::failure(format!(
            "Initial hashtable multiplier of {power} is too low"
        )));
    }
    if power > 32 {
        return Err(CliError::failure(format!(
            "Initial hashtable multiplier of {power} is too high\n\
             Choose a value based on \"STAT hash_power_level\" from a running instance"
        )));
    }
    config.hashpower = power as u32;
    Ok(())
}

fn slab_automove(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.slab_automove = match text {
        "" => 1,
        _ => match leading_integer(text) {
            Some(level @ 0..=2) => level as u32,
            _ => return Err(CliError::failure("slab_automove must be between 0 and 2")),
        },
    };
    Ok(())
}

fn slab_automove_ratio(config: &mut Config, text: &str) -> Result<(), CliError> {
    let ratio = leading_float(text);
    if ratio <= 0.0 || ratio > 1.0 {
        return Err(CliError::failure("slab_automove_ratio must be > 0 and < 1"));
    }
    config.slab_automove_ratio = ratio;
    Ok(())
}

fn slab_automove_window(config: &mut Config, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(seconds @ 3..=1800) => config.slab_automove_window = seconds as u32,
        Some(1801..) => return Err(CliError::failure("slab_automove_window must be <= 1800")),
        _ => return Err(CliError::failure("slab_automove_window must be > 2")),
    }
    Ok(())
}

fn tail_repair_time(config: &mut Config, text: &str) -> Result<(), CliError> {
    let seconds = unsigned("tail_repair_time", text)?;
    if seconds < 10 {
        return Err(CliError::failure(
            "Cannot set tail_repair_time to less than 10 seconds",
        ));
    }
    config.tail_repair_time = seconds;
    Ok(())
}

fn hash_algorithm(config: &mut Config, text: &str) -> Result<(), CliError> {
    let known = ["jenkins", "murmur3", "xxh3"]
        .into_iter()
        .find(|name| *name == text);
    config.hash_algorithm = known.ok_or_else(|| {
        CliError::failure("Unknown hash_algorithm option (jenkins, murmur3, xxh3)")
    })?;
    Ok(())
}

fn lru_crawler_sleep(config: &mut Config, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(microseconds @ 0..=1_000_000) => config.lru_crawler_sleep = microseconds as u32,
        _ => {
            return Err(CliError::failure(
                "LRU crawler sleep must be between 0 and 1 second",
            ));
        }
    }
    Ok(())
}

fn lru_crawler_tocrawl(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.lru_crawler_tocrawl = whole_u32(text)
        .ok_or_else(|| CliError::failure("lru_crawler_tocrawl takes a numeric 32bit value"))?;
    Ok(())
}

fn percentage(setting: &mut u32, name: &str, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(percent @ 1..=79) => *setting = percent as u32,
        _ => return Err(CliError::failure(format!("{name} must be > 1 and < 80"))),
    }
    Ok(())
}

fn factor(setting: &mut f64, name: &str, text: &str) -> Result<(), CliError> {
    let factor = leading_float(text);
    if factor <= 0.0 {
        return Err(CliError::failure(format!("{name} must be > 0")));
    }
    *setting = factor;
    Ok(())
}

fn temporary_ttl(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.temporary_ttl = unsigned("temporary_ttl", text)?;
    config.temp_lru = true;
    Ok(())
}

fn idle_timeout(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.idle_timeout_seconds = unsigned("idle_timeout", text)?;
    Ok(())
}

fn shard_port(config: &mut Config, text: &str) -> Result<(), CliError> {
    match leading_integer(text) {
        Some(port @ 1..=65535) => config.shard_port = port as u16,
        _ => return Err(CliError::failure("shard_port must be between 1 and 65535")),
    }
    Ok(())
}

/// The value of `-o eviction`. There was a second one, `clock`: docs/design/002-eviction.md.
fn eviction(_config: &mut Config, text: &str) -> Result<(), CliError> {
    match text {
        EVICTION => Ok(()),
        "clock" => Err(CliError::failure(
            "eviction=clock is no more: s3fifo has fewer misses, and is the only policy; leave the option out",
        )),
        _ => Err(CliError::failure("eviction must be s3fifo")),
    }
}

fn io(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.io = match text {
        "auto" => None,
        "uring" => Some(Io::Uring),
        "epoll" => Some(Io::Epoll),
        _ => return Err(CliError::failure("io must be auto, uring or epoll")),
    };
    Ok(())
}

fn kilobytes(setting: &mut u64, name: &str, text: &str) -> Result<(), CliError> {
    *setting = u64::from(whole_u32(text).ok_or_else(|| unparsable(name))?) << 10;
    Ok(())
}

fn slab_sizes(config: &mut Config, text: &str) -> Result<(), CliError> {
    let sizes = text.split('-').map(|size| {
        leading_integer(size)
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0)
    });
    config.slab_sizes = Some(sizes.collect());
    Ok(())
}

fn slab_chunk_max(config: &mut Config, text: &str) -> Result<(), CliError> {
    kilobytes(&mut config.slab_chunk_max, "slab_chunk_max", text)?;
    match config.slab_chunk_max {
        0 => Err(CliError::failure("slab_chunk_max must be > 0")),
        _ => Ok(()),
    }
}

fn read_buf_mem_limit(config: &mut Config, text: &str) -> Result<(), CliError> {
    let megabytes = whole_u32(text).ok_or_else(|| unparsable("read_buf_mem_limit"))?;
    config.read_buf_mem_limit_bytes = u64::from(megabytes) << 20;
    Ok(())
}

fn conn_mem_limit(config: &mut Config, text: &str) -> Result<(), CliError> {
    let megabytes = whole_u32(text).ok_or_else(|| unparsable("conn_mem_limit"))?;
    config.conn_mem_limit_bytes = u64::from(megabytes) << 20;
    Ok(())
}

fn sock_cookie_id(config: &mut Config, text: &str) -> Result<(), CliError> {
    config.socket_mark = unsigned("sock_cookie_id", text)?;
    Ok(())
}

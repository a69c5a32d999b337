//! The values of `-o`: a list of `name` or `name=value`, as `getsubopt` splits it.
//!
//! A new one is a line of [`SWITCHES`] or of [`VALUES`], a field of [`Config`], and a line of the help (`text.rs`) and
//! of `docs/options.md`, which a test compares.

mod memory;
mod network;
mod upkeep;
mod values;

use crate::base::config::{Config, SLAB_PAGE_BYTES};
use crate::base::cpus::Pinning;

use super::draft::Draft;
use super::error::CliError;
use super::{flash, ssl, unsupported};
use values::{factor, kilobytes, percentage, unsigned};

type Switch = fn(&mut Config);
type Setter = fn(&mut Config, &str) -> Result<(), CliError>;

/// Sub-options that need no value; a value that is given is ignored.
const SWITCHES: [(&str, Switch); 26] = [
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
    ("no_latency", |config| config.latency = false),
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
const VALUES: [(&str, &str, Setter); 29] = [
    (
        "hashpower",
        "Missing numeric argument for hashpower",
        memory::hashpower,
    ),
    ("slab_automove", "", memory::slab_automove),
    (
        "slab_automove_ratio",
        "Missing slab_automove_ratio argument",
        memory::slab_automove_ratio,
    ),
    (
        "slab_automove_window",
        "Missing slab_automove_window argument",
        memory::slab_automove_window,
    ),
    (
        "tail_repair_time",
        "Missing numeric argument for tail_repair_time",
        upkeep::tail_repair_time,
    ),
    (
        "hash_algorithm",
        "Missing hash_algorithm argument",
        memory::hash_algorithm,
    ),
    (
        "lru_crawler_sleep",
        "Missing lru_crawler_sleep value",
        upkeep::lru_crawler_sleep,
    ),
    (
        "lru_crawler_tocrawl",
        "Missing lru_crawler_tocrawl value",
        upkeep::lru_crawler_tocrawl,
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
        upkeep::temporary_ttl,
    ),
    (
        "idle_timeout",
        "Missing numeric argument for idle_timeout",
        network::idle_timeout,
    ),
    (
        "shard_port",
        "Missing shard_port argument",
        network::shard_port,
    ),
    ("metrics", "Missing metrics argument", network::metrics),
    ("eviction", "Missing eviction argument", memory::eviction),
    ("io", "Missing io argument", network::io),
    ("log", "Missing log argument", |config, text| {
        config.log_json = match text {
            "text" => false,
            "json" => true,
            _ => return Err(CliError::failure("log must be text or json")),
        };
        Ok(())
    }),
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
    ("slow_us", "Missing slow_us argument", |config, text| {
        config.slow_us = unsigned("slow_us", text)?;
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
    (
        "slab_sizes",
        "Missing slab_sizes argument",
        memory::slab_sizes,
    ),
    (
        "slab_chunk_max",
        "Missing slab_chunk_max argument",
        memory::slab_chunk_max,
    ),
    (
        "read_buf_mem_limit",
        "Missing read_buf_mem_limit argument",
        network::read_buf_mem_limit,
    ),
    (
        "conn_mem_limit",
        "Missing conn_mem_limit argument",
        network::conn_mem_limit,
    ),
    (
        "sock_cookie_id",
        "Missing sock_cookie_id argument",
        network::sock_cookie_id,
    ),
];

/// Sub-options that have an effect and whose value is 0 if it is no number.
const WORDS_ARE_0: [&str; 3] = ["slab_automove", "idle_timeout", "sock_cookie_id"];

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
    apply_known(suboption, draft).map_err(|error| {
        error.advising(format!("-o {suboption} is refused; -h lists what -o takes"))
    })
}

fn apply_known(suboption: &str, draft: &mut Draft) -> Result<(), CliError> {
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
    if flash::apply(&mut draft.config, name, value)? {
        draft.note(format!("-o {name} has no effect without ext_path"));
        return Ok(());
    }
    if WORDS_ARE_0.contains(&name)
        && let Some(value) = value
    {
        draft.warn_of_word(&format!("-o {name}"), value);
    }
    if let Some((_, missing, set)) = VALUES.iter().find(|(known, _, _)| *known == name) {
        return match value {
            None if !missing.is_empty() => Err(CliError::failure(*missing)),
            // Only that of slab_automove may be missing, and is 1 then.
            value => set(&mut draft.config, value.unwrap_or("1")),
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

//! `stats settings`: the command line as it is in force, under memcached's names and in its order.

use std::path::PathBuf;

use crate::base::config::Authentication;
use crate::base::config::{Config, SLAB_PAGE_BYTES};
use crate::base::listeners::TlsKind;
use crate::base::tuning::Tuning;
use crate::shared::Shared;

use crate::operation::Pairs;

/// Client flags have four bytes, as in memcached's default build.
const CLIENT_FLAGS_BYTES: u64 = 4;
/// The values that memcached shows without `-f` and `-n`; the engine's own classes are finer.
const DEFAULT_GROWTH_FACTOR: f64 = 1.25;
const DEFAULT_CHUNK_SIZE: u32 = 48;

/// The whole reply.
pub(crate) fn render(shared: &Shared) -> Pairs {
    let mut pairs = Pairs::default();
    let config = &shared.globals.config;
    pairs.number("maxbytes", shared.memory.budget.limit_bytes());
    connection_pairs(&mut pairs, config, shared.globals.verbosity());
    memory_pairs(&mut pairs, config, &shared.globals.tuning);
    command_pairs(&mut pairs, config, &shared.globals.tuning);
    maintenance_pairs(&mut pairs, config, &shared.globals.tuning);
    lru_pairs(&mut pairs, config, &shared.globals.tuning);
    buffer_pairs(&mut pairs, config, &shared.globals.tuning);
    pairs
}

fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

fn connection_pairs(pairs: &mut Pairs, config: &Config, verbosity: u8) {
    pairs.number("maxconns", u64::from(config.conn_limit));
    pairs.text("tcpport", config.tcp_port.number().to_string());
    pairs.text("udpport", config.udp_port.number().to_string());
    pairs.text("inter", config.listen_text.as_deref().unwrap_or("NULL"));
    pairs.number("verbosity", u64::from(verbosity));
    pairs.number("oldest", 0);
    pairs.text("evictions", if config.evictions { "on" } else { "off" });
    match &config.unix_socket {
        Some(path) => pairs.text("domain_socket", path.as_os_str().as_encoded_bytes()),
        None => pairs.text("domain_socket", "NULL"),
    }
    pairs.text("umask", format!("{:o}", config.unix_mask));
    pairs.text("shutdown_command", yes_no(config.shutdown_enabled));
}

fn memory_pairs(pairs: &mut Pairs, config: &Config, tuning: &Tuning) {
    pairs.text(
        "growth_factor",
        format!(
            "{:.2}",
            config.growth_factor.unwrap_or(DEFAULT_GROWTH_FACTOR)
        ),
    );
    pairs.number(
        "chunk_size",
        u64::from(config.chunk_size_min.unwrap_or(DEFAULT_CHUNK_SIZE)),
    );
    pairs.number("num_threads", config.threads as u64);
    pairs.number("num_threads_per_udp", config.threads as u64);
    pairs.text("stat_key_prefix", [config.prefix_delimiter]);
    pairs.text("detail_enabled", yes_no(tuning.detail.is_on()));
    pairs.number("reqs_per_event", u64::from(config.reqs_per_event));
    pairs.text("cas_enabled", yes_no(config.cas_enabled));
    pairs.text("tcp_backlog", config.backlog.to_string());
    pairs.text("binding_protocol", config.binding_protocol.name());
    let (sasl, ascii) = match &config.authentication {
        Authentication::None => ("no", &b"no"[..]),
        Authentication::Text(file) => ("no", file.as_os_str().as_encoded_bytes()),
        Authentication::Sasl(_) => ("yes", &b"no"[..]),
    };
    pairs.text("auth_enabled_sasl", sasl);
    pairs.text("auth_enabled_ascii", ascii);
    pairs.number("item_size_max", config.item_size_max);
    pairs.text("maxconns_fast", yes_no(config.maxconns_fast));
    pairs.number("hashpower_init", u64::from(config.hashpower));
    pairs.text("slab_reassign", yes_no(config.slab_reassign));
    pairs.number("slab_automove", u64::from(tuning.slab_automove.get()));
    pairs.text(
        "slab_automove_ratio",
        format!("{:.2}", tuning.slab_automove_ratio.get()),
    );
    pairs.number(
        "slab_automove_window",
        u64::from(tuning.slab_automove_window.get()),
    );
    pairs.number("slab_chunk_max", config.slab_chunk_max.min(SLAB_PAGE_BYTES));
}

fn command_pairs(pairs: &mut Pairs, config: &Config, tuning: &Tuning) {
    pairs.text("lru_crawler", yes_no(tuning.lru_crawler.is_on()));
    pairs.number(
        "lru_crawler_sleep",
        u64::from(tuning.lru_crawler_sleep.get()),
    );
    pairs.number(
        "lru_crawler_tocrawl",
        u64::from(tuning.lru_crawler_tocrawl.get()),
    );
    pairs.number("tail_repair_time", u64::from(config.tail_repair_time));
    pairs.text("flush_enabled", yes_no(config.flush_enabled));
    pairs.text("dump_enabled", yes_no(config.dump_enabled));
}

fn maintenance_pairs(pairs: &mut Pairs, config: &Config, tuning: &Tuning) {
    pairs.text("hash_algorithm", config.hash_algorithm);
    pairs.text("lru_maintainer_thread", yes_no(config.lru_maintainer));
    pairs.text("lru_segmented", yes_no(tuning.lru_segmented.is_on()));
}

fn lru_pairs(pairs: &mut Pairs, config: &Config, tuning: &Tuning) {
    pairs.number("hot_lru_pct", u64::from(tuning.hot_lru_pct.get()));
    pairs.number("warm_lru_pct", u64::from(tuning.warm_lru_pct.get()));
    pairs.text(
        "hot_max_factor",
        format!("{:.2}", tuning.hot_max_factor.get()),
    );
    pairs.text(
        "warm_max_factor",
        format!("{:.2}", tuning.warm_max_factor.get()),
    );
    pairs.text("temp_lru", yes_no(tuning.temp_lru.is_on()));
    pairs.number("temporary_ttl", u64::from(tuning.temporary_ttl.get()));
    pairs.number("idle_timeout", u64::from(config.idle_timeout_seconds));
}

/// These lines are shown without `-Z`, too, as by a memcached that is built with TLS.
fn ssl_pairs(pairs: &mut Pairs, config: &Config) {
    let ssl = &config.ssl;
    let file = |path: &Option<PathBuf>| match path {
        Some(path) => path.as_os_str().as_encoded_bytes().to_vec(),
        None => b"NULL".to_vec(),
    };
    pairs.text("ssl_enabled", yes_no(config.tls != TlsKind::None));
    pairs.text("ssl_chain_cert", file(&ssl.chain_cert));
    pairs.text("ssl_key", file(&ssl.key));
    pairs.number("ssl_verify_mode", u64::from(ssl.verify_mode.number()));
    pairs.number("ssl_keyformat", u64::from(ssl.key_format.number()));
    pairs.text("ssl_ciphers", ssl.ciphers.as_deref().unwrap_or("NULL"));
    pairs.text("ssl_ca_cert", file(&ssl.ca_cert));
    pairs.number("ssl_wbuf_size", ssl.wbuf_bytes);
    pairs.text("ssl_session_cache", yes_no(ssl.session_cache));
    pairs.text("ssl_kernel_tls", yes_no(ssl.kernel_tls));
    pairs.text("ssl_min_version", ssl.min_version.name());
}

fn buffer_pairs(pairs: &mut Pairs, config: &Config, tuning: &Tuning) {
    pairs.number("watcher_logbuf_size", config.watcher_logbuf_bytes);
    pairs.number("worker_logbuf_size", config.worker_logbuf_bytes);
    pairs.number("read_buf_mem_limit", config.read_buf_mem_limit_bytes);
    pairs.text("track_sizes", yes_no(config.track_sizes));
    pairs.text("inline_ascii_response", "no");
    if config.drop_privileges {
        pairs.text("drop_privileges", "yes");
    }
    // This is the one setting of the flash tier that a command for other things changes.
    pairs.text(
        "slab_automove_freeratio",
        format!("{:.3}", tuning.slab_automove_freeratio.get()),
    );
    ssl_pairs(pairs, config);
    pairs.number("num_napi_ids", u64::from(config.napi_ids));
    let memory_file = config.memory_file.as_ref().map(|path| path.display());
    pairs.text(
        "memory_file",
        memory_file.map_or_else(|| "NULL".to_owned(), |path| path.to_string()),
    );
    pairs.number("client_flags_size", CLIENT_FLAGS_BYTES);
}

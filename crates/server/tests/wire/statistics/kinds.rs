//! Values of the general statistics are of their kinds.

use super::*;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Digits.
    Integer,
    /// So many digits behind the point.
    Decimals(usize),
    YesNo,
    /// Anything without a space.
    Word,
}

/// Values of all statistics that are no whole numbers, and what they are.
fn kind_of(kind: &str, name: &str) -> Kind {
    let name = name.rsplit(':').next().unwrap_or(name);
    match (kind, name) {
        ("", "rusage_user" | "rusage_system") => Kind::Decimals(6),
        ("", "version" | "libevent" | "slab_reassign_last_busy_status") => Kind::Word,
        (
            "settings",
            "growth_factor"
            | "slab_automove_ratio"
            | "hot_max_factor"
            | "warm_max_factor"
            | "ext_max_frag",
        ) => Kind::Decimals(2),
        ("settings", "slab_automove_freeratio") => Kind::Decimals(3),
        (
            "settings",
            "shutdown_command"
            | "detail_enabled"
            | "cas_enabled"
            | "auth_enabled_sasl"
            | "auth_enabled_ascii"
            | "maxconns_fast"
            | "slab_reassign"
            | "lru_crawler"
            | "flush_enabled"
            | "dump_enabled"
            | "lru_maintainer_thread"
            | "lru_segmented"
            | "temp_lru"
            | "track_sizes"
            | "inline_ascii_response"
            | "ext_drop_unread"
            | "ssl_enabled"
            | "ssl_session_cache"
            | "ssl_kernel_tls",
        ) => Kind::YesNo,
        (
            "settings",
            "inter" | "evictions" | "domain_socket" | "stat_key_prefix" | "binding_protocol"
            | "hash_algorithm" | "ssl_chain_cert" | "ssl_key" | "ssl_ciphers" | "ssl_ca_cert"
            | "ssl_min_version" | "memory_file",
        )
        | ("sizes", "sizes_status")
        | ("conns", "addr" | "listen_addr" | "state") => Kind::Word,
        _ => Kind::Integer,
    }
}

fn is_of_kind(value: &str, kind: Kind) -> bool {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match kind {
        Kind::Integer => is_number(value) && value.parse::<u64>().is_ok(),
        Kind::Decimals(count) => value.split_once('.').is_some_and(|(whole, fraction)| {
            is_number(whole) && is_number(fraction) && fraction.len() == count
        }),
        Kind::YesNo => value == "yes" || value == "no",
        Kind::Word => !value.is_empty() && !value.contains(' ') && !is_number(value),
    }
}

/// Every value of every list is of its kind, in an empty server and in one that has done something; and memcached's
/// are.
#[test]
fn values_are_of_their_kinds() {
    for options in [
        &[][..],
        &["-o", "track_sizes"],
        &["-o", "no_lru_crawler,no_lru_maintainer"],
    ] {
        let server = Server::start(2, options);
        let mut client = server.connect();
        for round in 0..2 {
            for list in ["", "settings", "items", "slabs", "sizes", "conns"] {
                for (name, value) in client.stats_list(list) {
                    // A number that memcached 1.6.18 shows as a text that it does not have.
                    if server.is_old_memcached && name == "num_napi_ids" {
                        continue;
                    }
                    let kind = kind_of(list, &name);
                    let fits = is_of_kind(&value, kind);
                    assert!(
                        fits,
                        "round {round} of {list:?}: {name} {value} is no {kind:?}"
                    );
                }
            }
            for number in 0..100 {
                client.set(&format!("k:{number}"), "x".repeat(number * 100));
                client.get(&format!("k:{}", 2 * number));
            }
            client.ask("flush_all");
            client.ask("delete k:1");
        }
        assert_eq!(client.ask("stats reset"), "RESET");
        assert!(client.stat("uptime") >= 2);
    }
}

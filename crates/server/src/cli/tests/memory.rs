//! Options of memory.

use super::*;

#[test]
fn without_a_number_of_shards_there_are_enough_for_the_memory() {
    let usual = Config::default().threads;
    assert_eq!(config(&["-m", "1024"]).threads, usual);
    assert_eq!(config(&["-m", "2097153"]).threads, usual.max(65));
    assert_eq!(config(&["-m", "100000", "-t", "4"]).threads, 4);
    // `-t 4` is what memcached's users have with any memory.
    let draft = try_draft(&["-m", "2097153", "-t", "4"]).unwrap();
    assert_eq!(draft.config.threads, 65);
    assert_eq!(
        draft.warnings[0],
        "WARNING: -t 4 becomes -t 65: a shard can use 32 GiB, and -m asks for 2049 GiB"
    );
}

#[test]
fn memory_options() {
    check(&["-m", "1024"], |config| {
        config.memory_limit_bytes = 1 << 30;
    });
    check(&["--memory-limit=100m"], |config| {
        config.memory_limit_bytes = 100 << 20;
    });
    check(&["-M"], |config| config.evictions = false);
    check(&["--disable-evictions"], |config| config.evictions = false);
    check(&["-f", "1.08"], |config| config.growth_factor = Some(1.08));
    check(&["--slab-growth-factor=2"], |config| {
        config.growth_factor = Some(2.0);
    });
    check(&["-n", "64"], |config| config.chunk_size_min = Some(64));
    check(&["--slab-min-size=5"], |config| {
        config.chunk_size_min = Some(5);
    });
    check(&["-C"], |config| config.cas_enabled = false);
    check(&["--disable-cas"], |config| config.cas_enabled = false);
    check(&["-L"], |config| config.large_pages = true);
    check(&["--enable-largepages"], |config| config.large_pages = true);
    check(&["-o", "prefault"], |config| config.prefault = true);
    check(&["--memory-file=/mnt/items"], |config| {
        config.memory_file = Some("/mnt/items".into());
    });
    check(&["-k"], |config| config.lock_memory = true);
    check(&["--lock-memory"], |config| config.lock_memory = true);
    check(&["-I", "2m"], |config| config.item_size_max = 2 << 20);
    check(&["--max-item-size=512k"], |config| {
        config.item_size_max = 512 << 10;
    });
    check(&["-m4096", "-I1g"], |config| {
        (config.memory_limit_bytes, config.item_size_max) = (4 << 30, 1 << 30);
    });
    refused(&["-f", "1"], 1, "Factor must be greater than 1");
    refused(&["-n", "0"], 1, "Chunk size must be greater than 0");
    refused(&["-m", "x"], 64, "Invalid memory limit: x");
    refused(
        &["-m", "1"],
        64,
        "Cannot set item size limit higher than 1/2 of memory max.",
    );
    refused(
        &["-I", "64m"],
        64,
        "Cannot set item size limit higher than 1/2 of memory max.",
    );
    refused(
        &["-m8192", "-I", "1025m"],
        64,
        "Cannot set item size limit higher than a gigabyte.",
    );
    for tiny in ["1000", "abc", "1", "-5k"] {
        refused(
            &["-I", tiny],
            64,
            "Item max size cannot be less than 1024 bytes.",
        );
    }
    refused(
        &["-I", "1500"],
        64,
        "slab_chunk_max (bytes: 524288) cannot be larger than -I (item_size_max 1500)",
    );
    refused(
        &["-I", "1500k"],
        64,
        "-I (item_size_max: 1536000) must be evenly divisible by slab_chunk_max (bytes: 524288)",
    );
}

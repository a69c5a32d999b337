//! Every transcript at one shard and at four, in every way of playing it.

use std::thread;

use crate::transcript::{Transcript, play};

/// Plays one transcript in all its ways at once, each on a server of its own.
fn play_all_ways(name: &'static str, source: &str, shards: usize) {
    let transcript = &Transcript::parse(name, source);
    thread::scope(|scope| {
        let plays: Vec<_> = transcript
            .ways
            .iter()
            .map(|way| scope.spawn(move || play(transcript, shards, *way)))
            .collect();
        for play in plays {
            if let Err(panic) = play.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            mod $name {
                const SOURCE: &str = include_str!(concat!("transcripts/", stringify!($name), ".txt"));

                #[test]
                fn one_shard() {
                    super::play_all_ways(stringify!($name), SOURCE, 1);
                }

                #[test]
                fn four_shards() {
                    super::play_all_ways(stringify!($name), SOURCE, 4);
                }
            }
        )*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

transcripts! {
    admin
    arithmetic
    arithmetic_padding
    ascii_only
    auth_text
    binary_admin
    binary_arithmetic
    binary_cas
    binary_cas_off
    binary_flush_off
    binary_large
    binary_large_small
    binary_lengths
    binary_malformed
    binary_only
    binary_quiet
    binary_quit
    binary_storage
    binary_touch
    binary_unknown
    binary_unknown_body
    cas
    cas_off
    debugtime
    detail
    detail_delimiter
    dump
    exptime
    exptime_range
    flush_all
    flush_all_delay
    flush_all_off
    framing
    get_and_touch
    http
    item_size
    item_size_append
    item_size_small
    key_length
    large_values
    leading_space
    line_length
    line_length_at_once
    meta_arithmetic
    meta_arithmetic_new
    meta_base64
    meta_cas_off
    meta_debug
    meta_delete
    meta_delete_new
    meta_errors
    meta_errors_new
    meta_get
    meta_get_again
    meta_large
    meta_large_new
    meta_quiet
    meta_recache
    meta_set
    meta_set_new
    meta_stale
    meta_two_connections
    meta_vivify
    meta_vivify_new
    noreply
    noreply_errors
    quit
    reassign
    retrieval
    sasl
    short_lines
    shutdown
    shutdown_graceful
    stats_commands
    storage
    storage_errors
    touch_delete
    tuning
    tuning_off
    two_connections
    version
    watch_off
    watch_words
}

#[test]
fn every_transcript_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/transcripts");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let names: Vec<String> = NAMES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(files, names);
}

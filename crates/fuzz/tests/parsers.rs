//! Every parser target over the seeds of `fuzz/seeds`, over changed seeds, and over random bytes: what a machine
//! without libFuzzer can run. `FUZZ_SEED` and `FUZZ_RUNS` choose others and more.

use std::path::Path;

use corecached_fuzz::{Choices, parsers};

/// A target and the directory of its seeds.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("text", parsers::text::run),
    ("meta", parsers::meta::run),
    ("binary", parsers::binary::run),
    ("client_lines", parsers::client::lines),
    ("client_binary", parsers::client::binary),
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .expect("every target has seeds")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    let seeds = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a file"));
    seeds.collect()
}

/// A seed with some bytes changed, dropped, doubled, or another seed behind it.
fn changed(choices: &mut Choices<'_>, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[choices.below(seeds.len())].clone();
    for _ in 0..=choices.below(4) {
        let at = choices.below(bytes.len() + 1);
        match choices.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, choices.byte()),
            2 => bytes
                .splice(at..at, *b"18446744073709551616")
                .for_each(drop),
            3 => bytes.extend_from_slice(&seeds[choices.below(seeds.len())]),
            _ if at < bytes.len() => bytes[at] = choices.byte(),
            _ => {}
        }
    }
    bytes
}

#[test]
fn parsers_keep_their_promises() {
    let (seed, runs) = (number("FUZZ_SEED", 1), number("FUZZ_RUNS", 3000));
    println!("seed {seed}, {runs} runs");
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        seeds.iter().for_each(|seed| target(seed));
        for run in 0..runs {
            let mut choices = Choices::seeded(seed + run);
            let bytes = if choices.one_in(4) {
                let length = choices.below(300);
                choices.bytes(length)
            } else {
                changed(&mut choices, &seeds)
            };
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(
                outcome.is_ok(),
                "{name}, FUZZ_SEED={} FUZZ_RUNS=1: {}",
                seed + run,
                bytes.escape_ascii()
            );
        }
    }
}

//! The runs: sizes and pressure, each with its own seed.

use corecached_engine::EngineConfig;

use crate::support::{config, memory_file};

use super::{LARGE, MIXED, Model, SMALL};

fn seed() -> u64 {
    let seed = std::env::var("CORECACHED_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    println!("CORECACHED_SEED={seed}");
    seed
}

fn steps(default: usize) -> usize {
    std::env::var("CORECACHED_STEPS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn run(mut model: Model, steps: usize, check_every: usize) {
    for step in 0..steps {
        model.step();
        if step.is_multiple_of(check_every) {
            model.engine.check_integrity();
        }
    }
    let (hits, stats) = (model.hits, model.engine.stats());
    println!(
        "{hits} hits, {} evictions, {} rescues",
        stats.evictions, stats.slab_reassign_rescues
    );
    assert!(
        hits > steps as u64 / 50,
        "the run hits often enough to say something: {hits}"
    );
    let reads = model.reads;
    assert!(
        reads > hits / 10 || model.config.memory_file.is_some() || model.lengths == LARGE,
        "readers answer often enough to say something: {reads}"
    );
    model.finish();
}

#[test]
fn small_items_without_pressure() {
    let mut model = Model::new(seed(), config(), 32 << 20, 1000, SMALL);
    model.shrinks = false;
    run(model, steps(60_000), 100);
}

#[test]
fn small_items_under_pressure() {
    let config = EngineConfig {
        page_bytes: 8 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 1, config, 300 << 10, 3000, SMALL),
        steps(150_000),
        500,
    );
}

#[test]
fn every_step_is_sound() {
    run(
        Model::new(seed() + 2, config(), 800 << 10, 200, MIXED),
        steps(8_000),
        1,
    );
}

#[test]
fn mixed_items_under_pressure() {
    run(
        Model::new(seed() + 3, config(), 2 << 20, 600, MIXED),
        steps(100_000),
        200,
    );
}

#[test]
fn large_items_under_pressure() {
    let config = EngineConfig {
        item_size_max: 500 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 4, config, 3 << 20, 60, LARGE),
        steps(20_000),
        20,
    );
}

#[test]
fn no_cas_and_few_classes() {
    let config = EngineConfig {
        cas_enabled: false,
        growth_factor: Some(1.5),
        chunk_min: Some(16),
        page_bytes: 256 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 5, config, 4 << 20, 600, MIXED),
        steps(50_000),
        100,
    );
}

#[test]
fn items_survive_restarts() {
    let config = EngineConfig {
        memory_file: Some(memory_file(config().segment_bytes)),
        ..config()
    };
    run(
        Model::new(seed() + 7, config, 3 << 20, 500, MIXED),
        steps(60_000),
        100,
    );
}

#[test]
fn time_leaps() {
    let config = EngineConfig {
        memory_file: Some(memory_file(config().segment_bytes)),
        ..config()
    };
    let mut model = Model::new(seed() + 8, config, 32 << 20, 300, SMALL);
    (model.leaps, model.shrinks) = (true, false);
    run(model, steps(60_000), 100);
}

#[test]
fn without_evictions() {
    let config = EngineConfig {
        evictions_enabled: false,
        ..config()
    };
    run(
        Model::new(seed() + 6, config, 2 << 20, 400, MIXED),
        steps(50_000),
        100,
    );
}

#[test]
fn large_items_without_evictions() {
    let config = EngineConfig {
        evictions_enabled: false,
        item_size_max: 500 << 10,
        ..config()
    };
    run(
        Model::new(seed() + 8, config, 8 << 20, 60, LARGE),
        steps(20_000),
        20,
    );
}

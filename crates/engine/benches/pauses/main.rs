//! The longest time that any call of an engine takes, from the first item to the last.
//!
//! `cargo bench -p corecached-engine --bench pauses [-- ITEMS [RUNS]]`; 50,000,000 items need 4 GB and, in two runs,
//! some ten minutes. Under `cargo test` it runs with few items.
//!
//! Three figures for each kind of call, since the machine adds pauses of its own:
//!
//! - wall: `CLOCK_MONOTONIC`, preemption and interrupts included;
//! - CPU: the thread's own clock, which leaves preemption out, but not what a hypervisor takes away;
//! - work: the engine's own count, in units of some 100 ns, which is the same in every run.
//!
//! With several runs, a call that was slow in each of them is the engine's doing: `in every run` is the longest of the
//! shortest times (CPU) of the same call.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what is wrong")]

mod report;
mod run;

use self::report::Calls;
use self::run::Run;

fn once(items: u64, calls: &mut Calls) {
    let mut run = Run::new(items, None, calls);
    run.all();
    let stats = run.engine.stats();
    println!(
        "{items} items, {} evictions, {} reclaimed, {} pages moved, {} items moved, {} waits for a page",
        stats.evictions,
        stats.crawler_reclaimed,
        stats.slabs_moved,
        stats.slab_reassign_rescues,
        stats.page_waits
    );
    calls.end_run();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tiny = !arguments.iter().any(|argument| argument == "--bench");
    let mut numbers = arguments
        .iter()
        .filter_map(|argument| argument.parse().ok());
    let items = numbers
        .next()
        .unwrap_or(if tiny { 50_000 } else { 50_000_000 });
    let runs = numbers.next().unwrap_or(if tiny { 1 } else { 2 });
    let mut calls = Calls::new(items);
    for _ in 0..runs {
        once(items, &mut calls);
    }
    calls.report();
}

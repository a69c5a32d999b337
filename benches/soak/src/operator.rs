//! The operator: flushes, changes the memory limit, resets statistics, dumps, stops and continues the process.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Lines;
use crate::setup::{Address, Setup};
use crate::tally::Tally;

/// Works until the round is over.
pub(crate) fn run(setup: &Setup, address: &Address, process: Pid, tally: &Tally) {
    let mut rng = StdRng::seed_from_u64(setup.seed ^ 0x0e_0e0e);
    while !tally.is_over() {
        std::thread::sleep(Duration::from_millis(rng.random_range(50..700)));
        if let Err(error) = act(&mut rng, setup, address, process, tally) {
            tally.fail(format!("operator: {error}; {setup:?}"));
        }
    }
}

fn act(
    rng: &mut StdRng,
    setup: &Setup,
    address: &Address,
    process: Pid,
    tally: &Tally,
) -> io::Result<()> {
    let mut client = Lines::open(address)?;
    match rng.random_range(0..6) {
        0 if setup.flushes => {
            tally.flushes.begin();
            expect(&mut client, "flush_all", "OK")?;
            tally.flushes.end();
        }
        1 if setup.changes_limit => {
            let mb = rng.random_range(8..=setup.memory_mb);
            expect(&mut client, &format!("cache_memlimit {mb}"), "OK")?;
        }
        2 if setup.stops => {
            kill_process(process, Signal::STOP)?;
            std::thread::sleep(Duration::from_millis(rng.random_range(1..1500)));
            kill_process(process, Signal::CONT)?;
        }
        3 if setup.resets => expect(&mut client, "stats reset", "RESET")?,
        4 => drain(&mut client, "stats items", "END")?,
        5 => drain(&mut client, "lru_crawler metadump all", "END")?,
        _ => drain(&mut client, "stats", "END")?,
    }
    Ok(())
}

fn expect(client: &mut Lines, command: &str, answer: &str) -> io::Result<()> {
    match client.line(command)? {
        line if line == answer => Ok(()),
        line => Err(io::Error::other(format!("{command} gave {line:?}"))),
    }
}

/// Reads lines up to the last one. A dump may find another at work.
fn drain(client: &mut Lines, command: &str, last: &str) -> io::Result<()> {
    let mut line = client.line(command)?;
    while line != last {
        if line.starts_with("BUSY") {
            return Ok(());
        }
        if line.contains("ERROR") {
            return Err(io::Error::other(format!("{command} gave {line:?}")));
        }
        line = client.next_line()?;
    }
    Ok(())
}

/// One statistic, as a number.
pub(crate) fn statistic(address: &Address, name: &str) -> io::Result<u64> {
    let mut client = Lines::open(address)?;
    let mut line = client.line("stats")?;
    let wanted = format!("STAT {name} ");
    let mut found = None;
    while line != "END" {
        found = found.or_else(|| line.strip_prefix(&wanted)?.parse().ok());
        line = client.next_line()?;
    }
    found.ok_or_else(|| io::Error::other(format!("no statistic {name}")))
}

/// What vanished was evicted: no more items than the server says.
pub(crate) fn check_evictions(
    setup: &Setup,
    address: &Address,
    tally: &Tally,
) -> Result<u64, String> {
    let evictions = statistic(address, "evictions").map_err(|error| error.to_string())?;
    let vanished = tally.vanished.load(Ordering::Relaxed);
    if !setup.resets && vanished > evictions {
        return Err(format!(
            "{vanished} items vanished, {evictions} were evicted; {setup:?}"
        ));
    }
    Ok(evictions)
}

//! One round: a server, its clients, and what must hold at the end.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::disturb::{self, Reader};
use crate::operator;
use crate::owner::Owner;
use crate::server::Server;
use crate::setup::Setup;
use crate::tally::{Tally, Totals};

/// What a shard's rings and buffers may take. The server documents less; this is to catch what grows without end.
const BESIDE_SHARD_MB: usize = 8;

/// Runs a round; `Err` says what was wrong. Beside its items and shards, the server may take `beside_mb` MiB, which is
/// itself and what lies in connections.
pub(crate) fn run(
    binary: &Path,
    seed: u64,
    length: Duration,
    beside_mb: usize,
) -> Result<Totals, String> {
    let setup = Setup::of(seed);
    let mut server =
        Server::start(binary, &setup).map_err(|error| format!("{error}; {setup:?}"))?;
    let tally = Tally::default();
    let address = server.address.clone();
    std::thread::scope(|scope| {
        let (setup, tally, address) = (&setup, &tally, &address);
        let process = server.process();
        for number in 0..setup.owners {
            scope.spawn(move || Owner::new(number, setup, tally).run(address));
        }
        for number in 0..setup.slow_readers {
            scope.spawn(move || disturb::read(Reader::Slow, number, setup, address, tally));
        }
        for number in 0..setup.quick_readers {
            scope.spawn(move || disturb::read(Reader::Quick, number, setup, address, tally));
        }
        for number in 0..setup.broken_uploads {
            scope.spawn(move || disturb::break_off(number, setup, address, tally));
        }
        scope.spawn(move || operator::run(setup, address, process, tally));
        watch(&mut server, tally, length);
    });
    if let Some(fault) = tally.fault() {
        return Err(fault);
    }
    let evictions = operator::check_evictions(&setup, &server.address, &tally)?;
    check_memory(&server, &setup, beside_mb)?;
    server.end()?;
    let totals = Totals {
        rounds: 1,
        requests: tally.requests.load(Ordering::Relaxed),
        values: tally.values.load(Ordering::Relaxed),
        value_bytes: tally.value_bytes.load(Ordering::Relaxed),
        vanished: tally.vanished.load(Ordering::Relaxed),
        evictions,
    };
    println!("seed {seed}: {totals}; {}", setup.options().join(" "));
    Ok(totals)
}

/// Waits until the time is up, something was wrong, or the server has ended.
fn watch(server: &mut Server, tally: &Tally, length: Duration) {
    let end = Instant::now() + length;
    while Instant::now() < end && !tally.is_over() {
        if let Some(fault) = server.has_ended() {
            tally.fail(fault);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    tally.stop();
}

fn check_memory(server: &Server, setup: &Setup, beside_mb: usize) -> Result<(), String> {
    let allowed_mb = setup.memory_mb + beside_mb + setup.shards * BESIDE_SHARD_MB;
    match server.resident_bytes_max() >> 20 {
        mb if mb as usize <= allowed_mb => Ok(()),
        mb => Err(format!(
            "the server took {mb} MiB, {allowed_mb} are allowed; {setup:?}"
        )),
    }
}

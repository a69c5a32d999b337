//! Stampede protection by leases: of all who miss at once, the server lets one compute, and the others wait or take the
//! old value.
//!
//! ```text
//!   lease(KEY, patience)   Won    you are the one to compute: fill(KEY, token, value)
//!                          Wait   somebody else is: ask again
//!                          Hit    take it; it may be stale while somebody computes anew
//!   invalidate(KEY)        the value stays, marked as stale, and the next who asks wins
//! ```
//!
//! Without leases a page that takes 300 ms to compute, and is asked for 100 times a second, is computed 30 times when
//! it expires.

use std::collections::HashMap;
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use corecached_client::request::TakeLease;
use corecached_client::{Lease, Ttl};

use crate::cache::Cache;
use crate::stage::{Database, Result, Stage, Tally, check, say};

const VISITORS: usize = 30;
const COMPUTE_SECONDS: f64 = 0.3;
const TTL_SECONDS: u32 = 60;
/// A winner that dies keeps the others waiting for this long at most.
const PATIENCE: Duration = Duration::from_secs(2);
const WAIT: Duration = Duration::from_millis(10);

/// What is expensive: 300 ms in the database.
fn page(database: &mut Database) -> Result<String> {
    let query = "SELECT count(*), pg_sleep($1)::text FROM product";
    let row = database
        .row(query, &[&COMPUTE_SECONDS])?
        .ok_or("no count")?;
    Ok(format!("{} products", row.get::<_, i64>(0)))
}

/// Reads by lease. The threads of a process share one.
struct Leases<'c> {
    cache: &'c Cache,
    /// For the time without a cache: of the threads that want the same, one computes.
    flights: Mutex<HashMap<String, Arc<OnceLock<String>>>>,
}

impl Leases<'_> {
    /// The page, and whether it came from the cache.
    fn read(&self, key: &str, database: &mut Database, renew_below: u32) -> Result<(String, bool)> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let request = TakeLease::new(key, PATIENCE).recache_below(renew_below);
            match self.cache.asked(self.cache.client.call(&request)) {
                None => return Ok((self.alone(key, database)?, false)),
                Some(Lease::Hit { item, .. }) => {
                    return Ok((item.text().ok_or("not text")?.to_owned(), true));
                }
                Some(Lease::Won { token, .. }) => {
                    let fresh = page(database)?;
                    // Refused if somebody has invalidated meanwhile: then the next one computes.
                    let filled =
                        self.cache
                            .client
                            .fill(key, token, &fresh, Ttl::seconds(TTL_SECONDS));
                    self.cache.asked(filled);
                    return Ok((fresh, false));
                }
                Some(Lease::Wait) => sleep(WAIT),
            }
        }
        Ok((page(database)?, false))
    }

    fn alone(&self, key: &str, database: &mut Database) -> Result<String> {
        let flight = {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(flights.entry(key.to_owned()).or_default())
        };
        let mut failure = None;
        let fresh = flight.get_or_init(|| {
            page(database).unwrap_or_else(|error| {
                failure = Some(error);
                String::new()
            })
        });
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.remove(key);
        failure.map_or_else(|| Ok(fresh.clone()), Err)
    }
}

/// VISITORS threads that want the same page at the same moment. Returns the tally and the median wait.
fn come<R>(databases: &mut [Database], read: R) -> Result<(Tally, Duration)>
where
    R: Fn(&mut Database) -> Result<(String, bool)> + Sync,
{
    let before: usize = databases.iter().map(|database| database.queries).sum();
    let gate = Barrier::new(databases.len());
    let visit = |database: &mut Database| -> Result<(bool, Duration)> {
        gate.wait();
        let begun = Instant::now();
        let (_, is_hit) = read(database)?;
        Ok((is_hit, begun.elapsed()))
    };
    let answers = thread::scope(|scope| {
        let visitors: Vec<_> = databases
            .iter_mut()
            .map(|database| scope.spawn(|| visit(database)))
            .collect();
        let answers = visitors
            .into_iter()
            .map(|visitor| visitor.join().expect("a visitor returns its errors"));
        answers.collect::<Result<Vec<_>>>()
    })?;
    let mut tally = Tally {
        plain: VISITORS,
        ..Tally::default()
    };
    answers.iter().for_each(|(is_hit, _)| tally.read(*is_hit));
    tally.queries = databases
        .iter()
        .map(|database| database.queries)
        .sum::<usize>()
        - before;
    let mut waits: Vec<Duration> = answers.into_iter().map(|(_, wait)| wait).collect();
    waits.sort_unstable();
    Ok((tally, waits[waits.len() / 2]))
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("leases", Vec::new())?;
    let cache = stage.cache()?;
    let mut crowd = (0..VISITORS)
        .map(|_| stage.database())
        .collect::<Result<Vec<_>>>()?;
    let leases = Leases {
        cache: &cache,
        flights: Mutex::default(),
    };
    let half = Duration::from_secs_f64(COMPUTE_SECONDS / 2.0);
    let (plain, _) = come(&mut crowd, |database| {
        if let Some(found) = cache.get("plain") {
            return Ok((found, true));
        }
        let fresh = page(database)?;
        cache.set("plain", &fresh, Ttl::seconds(TTL_SECONDS));
        Ok((fresh, false))
    })?;
    say(&format!("{VISITORS} at once, no leases"), plain);
    check(
        plain.queries > VISITORS / 2,
        "without leases nearly all compute the same",
    )?;
    let (leased, _) = come(&mut crowd, |database| leases.read("page", database, 5))?;
    say(&format!("{VISITORS} at once, leases"), leased);
    check(
        leased.queries == 1,
        "with leases one computes, the others wait for it",
    )?;
    cache.client.invalidate("page")?;
    let (stale, wait) = come(&mut crowd, |database| leases.read("page", database, 5))?;
    say(
        &format!("invalidated as stale, median wait {wait:.0?}"),
        stale,
    );
    check(
        stale.queries == 1 && wait < half,
        "one computes, and the others have the stale value at once",
    )?;
    let (early, wait) = come(&mut crowd, |database| {
        leases.read("page", database, TTL_SECONDS + 1)
    })?;
    say(
        &format!("renewed before its time ends, median wait {wait:.0?}"),
        early,
    );
    check(
        early.queries == 1 && wait < half,
        "one renews what is still good, and nobody else waits",
    )?;
    stage.server.kill()?;
    let (stopped, _) = come(&mut crowd, |database| leases.read("page", database, 5))?;
    say("the cache is stopped", stopped);
    check(
        stopped.queries <= 3,
        "the process lets one of its threads compute",
    )
}

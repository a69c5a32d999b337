//! Counters and rate limits: `incr` is one step in the server, so no two clients count as one.
//!
//! ```text
//!   allow:  add KEY:window 0 (a second clerk finds it there) --> incr --> at most LIMIT?
//!   down:   a limit of its own in each process: LIMIT / PROCESSES
//! ```
//!
//! The key contains the number of the time window, so an old window expires by itself. Reading, adding one and storing
//! again lets through too many: the program shows how many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, SystemTime};

use corecached_client::Ttl;

use crate::cache::{Cache, PAUSE};
use crate::stage::{Result, Stage, check};

const LIMIT: u64 = 50;
const WINDOW_SECONDS: u64 = 60;
const PROCESSES: u64 = 4;
const CLERKS: usize = 8;
const ATTEMPTS_OF_A_CLERK: usize = 50;

/// At most LIMIT requests of a user in a window.
struct RateLimit<'c> {
    cache: &'c Cache,
    own: Mutex<HashMap<String, (u64, u64)>>,
}

impl RateLimit<'_> {
    fn allows(&self, user: &str, seconds: u64) -> bool {
        let window = seconds / WINDOW_SECONDS;
        let key = format!("rate:{user}:{window}");
        self.cache
            .add(&key, "0", Ttl::seconds(2 * WINDOW_SECONDS as u32));
        match self.cache.incr(&key, 1) {
            Some(count) => count <= LIMIT,
            None => self.allows_alone(user, window),
        }
    }

    /// Without the cache the limit is shared by guess. To refuse all or to allow all are the other two choices.
    fn allows_alone(&self, user: &str, window: u64) -> bool {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, count) = own.entry(user.to_owned()).or_insert((window, 0));
        if *last != window {
            (*last, *count) = (window, 0);
        }
        *count += 1;
        *count <= LIMIT / PROCESSES
    }
}

/// Get, add one, set: two clerks read the same number, and both store the next one.
fn careless_allows(cache: &Cache, user: &str) -> bool {
    let key = format!("careless:{user}");
    let count: u64 = cache
        .get(&key)
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    if count >= LIMIT {
        return false;
    }
    // What the clerk does meanwhile; without it the threads of one process seldom meet.
    sleep(Duration::from_millis(1));
    cache.set(
        &key,
        &(count + 1).to_string(),
        Ttl::seconds(WINDOW_SECONDS as u32),
    )
}

/// How many of all attempts of all clerks are allowed.
fn allowed_of(allows: impl Fn() -> bool + Sync) -> u64 {
    let allows = &allows;
    thread::scope(|scope| {
        let clerk = move || (0..ATTEMPTS_OF_A_CLERK).filter(|_| allows()).count() as u64;
        let clerks: Vec<_> = (0..CLERKS).map(|_| scope.spawn(clerk)).collect();
        clerks
            .into_iter()
            .map(|clerk| clerk.join().expect("a clerk counts"))
            .sum()
    })
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("counters", Vec::new())?;
    let cache = stage.cache()?;
    let limit = RateLimit {
        cache: &cache,
        own: Mutex::default(),
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs();
    let attempts = CLERKS * ATTEMPTS_OF_A_CLERK;
    let careless = allowed_of(|| careless_allows(&cache, "ann"));
    println!("get and set: {careless} of {attempts} attempts allowed, the limit is {LIMIT}");
    let exact = allowed_of(|| limit.allows("ann", now));
    println!(
        "incr: {exact} of {attempts} attempts allowed; 0 database queries instead of {attempts}, 100% saved"
    );
    check(
        careless > exact,
        "get and set lets through more than the limit",
    )?;
    check(exact == LIMIT, "incr allows exactly the limit")?;
    check(
        limit.allows("ann", now + WINDOW_SECONDS),
        "the next window begins anew",
    )?;
    stage.server.kill()?;
    let alone = allowed_of(|| limit.allows("bob", now));
    println!(
        "the cache is stopped: {alone} of {attempts} attempts allowed by this process, one of {PROCESSES}"
    );
    check(
        alone == LIMIT / PROCESSES,
        "the application goes on with a limit of its own",
    )?;
    stage.server.start()?;
    sleep(PAUSE);
    let back = allowed_of(|| limit.allows("eve", now));
    check(
        back == LIMIT,
        "and with the common one once the cache is back",
    )
}

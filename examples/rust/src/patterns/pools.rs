//! Connection pools: connections are kept, and their number is bounded, towards the cache and towards the database.
//!
//! ```text
//!   threads --> pool of the cache (in the client)          --> server
//!           '-> pool of the database (few: what it bears)  --> PostgreSQL
//! ```
//!
//! A connection for each request costs three more packets, a port for a minute, and with TLS a handshake. A pool
//! towards the database is what protects it on the day when the cache is gone: all reads come to it then, and queue in
//! the application.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use corecached_client::{Config, Connection, Ttl};

use crate::stage::{Database, Result, Stage, Tally, check};

const THREADS: usize = 16;
const READS_OF_A_THREAD: usize = 100;
const READS: usize = THREADS * READS_OF_A_THREAD;
const DATABASE_CONNECTIONS: usize = 4;

/// A pool as small as can be: connections that are not in use lie in a channel. Crates such as `r2d2` or `deadpool` do
/// more, among it to replace a connection that has broken.
struct Pool {
    free: Mutex<Receiver<Database>>,
    back: Sender<Database>,
}

impl Pool {
    fn new(databases: Vec<Database>) -> Result<Pool> {
        let (back, free) = channel();
        for database in databases {
            back.send(database).map_err(|_| "the pool is gone")?;
        }
        Ok(Pool {
            free: Mutex::new(free),
            back,
        })
    }

    /// Waits for a connection and uses it.
    fn with<T>(&self, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
        let mut database = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv()?;
        let outcome = work(&mut database);
        self.back.send(database).map_err(|_| "the pool is gone")?;
        outcome
    }
}

/// Runs `read(number of the read)` in all threads, and returns how many were hits.
fn in_threads(read: impl Fn(usize) -> Result<bool> + Sync) -> Result<usize> {
    let read = &read;
    thread::scope(|scope| {
        let reader = |thread: usize| {
            move || {
                (0..READS_OF_A_THREAD)
                    .map(|turn| read(thread * READS_OF_A_THREAD + turn))
                    .collect::<Result<Vec<bool>>>()
            }
        };
        let readers: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(reader(thread)))
            .collect();
        let hits = readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader returns its errors"));
        let hits = hits.collect::<Result<Vec<_>>>()?;
        Ok(hits.iter().flatten().filter(|is_hit| **is_hit).count())
    })
}

/// How many connections the server has accepted so far, this one included.
fn connections_of(stage: &Stage) -> Result<usize> {
    let mut connection = Connection::open(stage.server.address, &Config::new())?;
    let statistics = connection.stats("")?;
    let accepted = statistics
        .iter()
        .find(|(name, _)| name == "total_connections");
    Ok(accepted.ok_or("no such statistic")?.1.parse()?)
}

/// The same reads, with a connection for each and with a pool.
fn show_pool(stage: &Stage) -> Result<()> {
    let cache = stage.cache()?;
    cache.set("key", "value", Ttl::NEVER);
    let opened_by = |what: &str, read: &(dyn Fn() -> Result<bool> + Sync)| -> Result<usize> {
        let (before, begun): (usize, Instant) = (connections_of(stage)?, Instant::now());
        in_threads(|_| read())?;
        let time: Duration = begun.elapsed();
        let opened = connections_of(stage)? - before - 1;
        println!("{what}: {READS} reads in {time:.2?}, {opened} connections opened");
        Ok(opened)
    };
    opened_by("a connection for each request", &|| {
        let mut connection = Connection::open(stage.server.address, &Config::new())?;
        Ok(connection.get("key")?.is_some())
    })?;
    let opened = opened_by("a pool", &|| Ok(cache.get("key").is_some()))?;
    check(
        opened <= THREADS,
        "a pool opens no more connections than there are threads",
    )
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("pools", Vec::new())?;
    show_pool(&stage)?;
    let cache = stage.cache()?;
    let databases = (0..DATABASE_CONNECTIONS).map(|_| stage.database());
    let pool = Pool::new(databases.collect::<Result<Vec<_>>>()?)?;
    let [works, stopped, back] = stage.acts(|random| {
        let wanted = random.wanted(READS);
        let hits = in_threads(|turn| {
            let number = wanted[turn];
            let key = format!("name:{number}");
            let cached = cache.get(&key);
            let is_hit = cached.is_some();
            let name = match cached {
                Some(name) => name,
                None => pool.with(|database| {
                    let row =
                        database.row("SELECT name FROM product WHERE number = $1", &[&number])?;
                    let name: String = row.ok_or("no such product")?.get(0);
                    cache.set(&key, &name, Ttl::seconds(60));
                    Ok(name)
                })?,
            };
            assert_eq!(name, format!("product {number}"));
            Ok(is_hit)
        })?;
        Ok(Tally {
            reads: READS,
            hits,
            queries: READS - hits,
            plain: READS,
        })
    })?;
    println!(
        "the client has counted {} requests that failed while the cache was stopped",
        cache.errors()
    );
    check(works.hit_rate() > 0.5, "most reads hit")?;
    check(
        stopped.queries == READS,
        "without the cache all reads come to the database, over four connections",
    )?;
    check(back.hit_rate() > 0.5, "then the cache takes them again")
}

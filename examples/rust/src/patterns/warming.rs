//! Warming: what to do so that a new or restarted cache is not empty when the traffic comes.
//!
//! ```text
//!   cold:     start --> traffic                       every first read is a query
//!   warmed:   start --> one query for the most wanted --> set, one after the other --> traffic
//!   kept:     -e file on a tmpfs, SIGUSR1 --> start   the items are still there
//! ```

use std::thread::sleep;

use corecached_client::Ttl;

use super::cache_aside::reads;
use crate::cache::{Cache, PAUSE};
use crate::stage::{Database, PRODUCTS, Result, Stage, check, say};

const READS: usize = 1500;

/// One query for what is asked for most. Here low numbers are popular; an application would take the views of
/// yesterday.
fn warm(cache: &Cache, database: &mut Database, count: i64) -> Result<()> {
    for row in database.rows(
        "SELECT number, name FROM product ORDER BY number LIMIT $1",
        &[&count],
    )? {
        let (number, name): (i32, String) = (row.get(0), row.get(1));
        cache.set(&format!("product:{number}"), &name, Ttl::seconds(600));
    }
    Ok(())
}

pub(super) fn run() -> Result<()> {
    let file = format!("/dev/shm/corecached-patterns-{}", std::process::id());
    let outcome = with_file(&file);
    for name in [file.clone(), format!("{file}.meta")] {
        let _ = std::fs::remove_file(name);
    }
    outcome
}

fn with_file(file: &str) -> Result<()> {
    let options = ["-m", "64", "-e", file].map(String::from).to_vec();
    let mut stage = Stage::new("warming", options)?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let cold = say(
        "after a start, cold",
        reads(&cache, &mut database, &mut stage.random, READS)?,
    );
    stage.server.kill()?;
    stage.server.start()?;
    sleep(PAUSE);
    warm(&cache, &mut database, i64::from(PRODUCTS / 2))?;
    let warmed = say(
        "after a start, warmed by one query",
        reads(&cache, &mut database, &mut stage.random, READS)?,
    );
    stage.server.end_by("USR1")?;
    stage.server.start()?;
    sleep(PAUSE);
    let kept = say(
        "after SIGUSR1 and a start with the same -e",
        reads(&cache, &mut database, &mut stage.random, READS)?,
    );
    stage.server.kill()?;
    let stopped = say(
        "the cache is stopped",
        reads(&cache, &mut database, &mut stage.random, READS)?,
    );
    check(
        warmed.hit_rate() > cold.hit_rate() + 0.05,
        "a warmed cache hits more from the first request on",
    )?;
    check(
        kept.hit_rate() > warmed.hit_rate(),
        "with -e nothing was lost, and no query was needed",
    )?;
    check(
        stopped.queries == READS,
        "without its cache the application asks the database",
    )
}

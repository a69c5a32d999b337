//! Write-behind: writes go to the cache, and to the database later, many as one. What is lost, and when.
//!
//! ```text
//!   view:   cache incr                                             (every visit)
//!   flush:  cache get n --> UPDATE views + n --> cache decr n      (every so often)
//! ```
//!
//! Good for counters that may be a little wrong. What was acknowledged and not yet flushed is lost when the server
//! stops, and when memory is full and the item is evicted; this program shows both.

use corecached_client::Ttl;

use crate::cache::Cache;
use crate::stage::{Database, Result, Stage, Tally, check};

const VIEWS: usize = 2000;
const FLUSH_EVERY: usize = 250;

/// Counts a visit. False: the cache could not be had, and the database counts it itself.
fn view(cache: &Cache, database: &mut Database, number: i32) -> Result<bool> {
    let key = format!("views:{number}");
    if cache.incr(&key, 1).is_some()
        || cache.add(&key, "1", Ttl::seconds(3600))
        || cache.incr(&key, 1).is_some()
    {
        return Ok(true);
    }
    database.run(
        "UPDATE product SET views = views + 1 WHERE number = $1",
        &[&number],
    )?;
    Ok(false)
}

/// Moves what has been counted to the database: one statement for all.
fn flush(cache: &Cache, database: &mut Database, numbers: &[i32]) -> Result<()> {
    let keys: Vec<String> = numbers
        .iter()
        .map(|number| format!("views:{number}"))
        .collect();
    let (mut moved, mut counts) = (Vec::new(), Vec::new());
    for (number, count) in numbers.iter().zip(cache.get_many(&keys)) {
        // A number that has fallen keeps its length: the server fills up with spaces.
        let count: i64 = count.map_or(Ok(0), |count| count.trim_end().parse())?;
        if count > 0 {
            moved.push(*number);
            counts.push(count);
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    database.run(
        "UPDATE product SET views = views + moved.n FROM unnest($1::int[], $2::bigint[]) AS moved (number, n) \
         WHERE product.number = moved.number",
        &[&moved, &counts],
    )?;
    for (number, count) in moved.iter().zip(counts) {
        // Not `set 0`: visits since the get stay counted.
        cache.decr(&format!("views:{number}"), count as u64);
    }
    Ok(())
}

fn counted_in(database: &mut Database) -> Result<usize> {
    let row = database.row("SELECT sum(views)::bigint FROM product", &[])?;
    Ok(row.ok_or("no sum")?.get::<_, i64>(0) as usize)
}

/// VIEWS visits with a flush after every FLUSH_EVERY. Returns what went through the cache.
fn visits(
    stage: &mut Stage,
    cache: &Cache,
    database: &mut Database,
    stop_after: Option<usize>,
) -> Result<usize> {
    let numbers = stage.random.wanted(VIEWS);
    let mut distinct = numbers.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let mut through_cache = 0;
    for (turn, number) in (1..).zip(numbers) {
        if stop_after == Some(turn) {
            stage.server.kill()?;
        }
        through_cache += usize::from(view(cache, database, number)?);
        if turn % FLUSH_EVERY == 0 {
            flush(cache, database, &distinct)?;
        }
    }
    flush(cache, database, &distinct)?;
    Ok(through_cache)
}

/// The server is killed between two flushes.
fn show_stop(stage: &mut Stage, cache: &Cache, database: &mut Database) -> Result<()> {
    let before = counted_in(database)?;
    let stop_after = VIEWS / 2 + FLUSH_EVERY / 2;
    visits(stage, cache, database, Some(stop_after))?;
    let lost = VIEWS - (counted_in(database)? - before);
    println!(
        "the server is killed after visit {stop_after}: {lost} of {VIEWS} acknowledged visits are lost"
    );
    check(
        0 < lost && lost < FLUSH_EVERY,
        "that is less than one interval between flushes, and the application has gone on",
    )
}

/// Memory is too small: the counter is evicted before it is flushed.
fn show_eviction(stage: &mut Stage, database: &mut Database) -> Result<()> {
    stage.server.options = vec!["-m".into(), "8".into()];
    stage.server.start()?;
    let cache = stage.cache()?;
    for _ in 0..50 {
        view(&cache, database, 1)?;
    }
    let large = "x".repeat(100_000);
    for filler in 0..300 {
        cache.set(&format!("filler:{filler}"), &large, Ttl::NEVER);
    }
    let left = cache.get("views:1");
    println!(
        "30 MB of other values pass through a cache of 8 MB: of 50 visits {} are left",
        left.as_deref().unwrap_or("0")
    );
    check(
        left.is_none(),
        "eviction loses visits, too: size -m so that evictions stay at 0",
    )
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("write_behind", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let hits = visits(&mut stage, &cache, &mut database, None)?;
    let tally = Tally {
        reads: VIEWS,
        hits,
        queries: database.queries,
        plain: VIEWS,
    };
    println!("the cache works: {tally}");
    check(
        counted_in(&mut database)? == VIEWS,
        "all visits are in the database after the last flush",
    )?;
    show_stop(&mut stage, &cache, &mut database)?;
    show_eviction(&mut stage, &mut database)
}

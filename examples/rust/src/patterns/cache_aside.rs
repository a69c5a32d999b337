//! Cache-aside: the application asks the cache first, and the database for what is not there.
//!
//! ```text
//!   read:  cache --hit--> answer
//!            '--miss--> database --> cache (with a time to live) --> answer
//! ```
//!
//! The most common pattern. The cache may vanish at any time: every answer can be had from the database.

use corecached_client::Ttl;

use crate::cache::Cache;
use crate::stage::{Database, Random, Result, Stage, Tally, check};

const READS: usize = 3000;
const TTL_SECONDS: u64 = 60;

/// The product's name, and whether it came from the cache.
pub(super) fn product(
    cache: &Cache,
    database: &mut Database,
    random: &mut Random,
    number: i32,
) -> Result<(String, bool)> {
    let key = format!("product:{number}");
    if let Some(name) = cache.get(&key) {
        return Ok((name, true));
    }
    let row = database.row("SELECT name FROM product WHERE number = $1", &[&number])?;
    let name: String = row.ok_or("no such product")?.get(0);
    // A random part: what was stored together does not expire together.
    let seconds = TTL_SECONDS + random.below(TTL_SECONDS / 4);
    cache.set(&key, &name, Ttl::seconds(seconds as u32));
    Ok((name, false))
}

/// Reads what visitors want, and checks each answer.
pub(super) fn reads(
    cache: &Cache,
    database: &mut Database,
    random: &mut Random,
    count: usize,
) -> Result<Tally> {
    let mut tally = Tally {
        plain: count,
        ..Tally::default()
    };
    let before = database.queries;
    for number in random.wanted(count) {
        let (name, is_hit) = product(cache, database, random, number)?;
        assert_eq!(name, format!("product {number}"));
        tally.read(is_hit);
    }
    tally.queries = database.queries - before;
    Ok(tally)
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("cache_aside", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let [works, stopped, back] =
        stage.acts(|random| reads(&cache, &mut database, random, READS))?;
    check(
        works.hit_rate() > 0.8,
        "more than four of five reads need no database",
    )?;
    check(
        stopped.queries == READS,
        "without its cache the application asks the database, and every answer is right",
    )?;
    check(back.hit_rate() > 0.8, "the cache fills itself again")
}

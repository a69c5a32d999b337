//! Negative caching: that something is not there is worth remembering, too.
//!
//! ```text
//!   read:    cache --value--> answer
//!              |---ABSENT--> not found, without a query
//!              '---miss--> database --> cache (the row for long, ABSENT for seconds)
//!   create:  INSERT --> cache delete      so that the new row is seen at once
//! ```
//!
//! The time to live of ABSENT is short: made-up keys should not fill the memory.

use corecached_client::Ttl;

use crate::cache::Cache;
use crate::stage::{Database, PRODUCTS, Random, Result, Stage, Tally, check};

const READS: usize = 2000;
/// No name is empty.
const ABSENT: &str = "";

/// The product's name, if there is one, and whether the cache knew.
fn product(
    cache: &Cache,
    database: &mut Database,
    number: i32,
    remembers_absent: bool,
) -> Result<(Option<String>, bool)> {
    let key = format!("product:{number}");
    if let Some(found) = cache.get(&key) {
        return Ok(((found != ABSENT).then_some(found), true));
    }
    let row = database.row("SELECT name FROM product WHERE number = $1", &[&number])?;
    let name: Option<String> = row.map(|row| row.get(0));
    match &name {
        Some(name) => {
            cache.set(&key, name, Ttl::seconds(60));
        }
        None if remembers_absent => {
            cache.set(&key, ABSENT, Ttl::seconds(5));
        }
        None => {}
    }
    Ok((name, false))
}

fn create(cache: &Cache, database: &mut Database, number: i32) -> Result<()> {
    database.run(
        "INSERT INTO product VALUES ($1, $2, 0)",
        &[&number, &format!("product {number}")],
    )?;
    cache.delete(&format!("product:{number}"));
    Ok(())
}

fn act(
    cache: &Cache,
    database: &mut Database,
    random: &mut Random,
    remembers_absent: bool,
) -> Result<Tally> {
    let mut tally = Tally {
        plain: READS,
        ..Tally::default()
    };
    let before = database.queries;
    // Every other visitor follows an old link: to a product that is no longer there.
    for (turn, number) in (0..).zip(random.wanted(READS)) {
        let asked = number + PRODUCTS * (turn % 2);
        let (found, is_hit) = product(cache, database, asked, remembers_absent)?;
        assert_eq!(found.is_none(), asked > PRODUCTS, "product {asked}");
        tally.read(is_hit);
    }
    tally.queries = database.queries - before;
    Ok(tally)
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("negative", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let forgetful = act(&cache, &mut database, &mut stage.random, false)?;
    println!("absence is not remembered: {forgetful}");
    let [works, stopped, back] = stage.acts(|random| act(&cache, &mut database, random, true))?;
    check(
        forgetful.hit_rate() < 0.5,
        "without it every second read is a query",
    )?;
    check(works.hit_rate() > 0.75, "with it most reads need none")?;
    check(
        stopped.queries == READS,
        "without its cache the application asks the database",
    )?;
    check(back.hit_rate() > 0.6, "and goes back to the cache")?;
    let number = PRODUCTS * 3;
    product(&cache, &mut database, number, true)?;
    create(&cache, &mut database, number)?;
    let (found, _) = product(&cache, &mut database, number, true)?;
    check(
        found.is_some(),
        "what is created is seen at once, since its key is deleted",
    )
}

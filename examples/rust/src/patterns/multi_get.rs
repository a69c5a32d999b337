//! Multi-get: a page with 40 products is one request to the cache, and at most one query.
//!
//! ```text
//!   page:  cache get k1 k2 ... k40 --> misses --> one query (= ANY) --> cache set, pipelined
//! ```
//!
//! A round trip in a network takes much longer than a lookup.

use std::time::{Duration, Instant};

use corecached_client::Ttl;

use crate::cache::Cache;
use crate::stage::{Database, PRODUCTS, Result, Stage, Tally, check};

const PAGES: usize = 200;
const PRODUCTS_OF_A_PAGE: usize = 40;
const TURNS: u32 = 20;

/// The names of these products in order, and how many came from the cache.
fn names(cache: &Cache, database: &mut Database, numbers: &[i32]) -> Result<(Vec<String>, usize)> {
    let keys: Vec<String> = numbers
        .iter()
        .map(|number| format!("name:{number}"))
        .collect();
    let mut names = cache.get_many(&keys);
    let hits = names.iter().flatten().count();
    let missing: Vec<i32> = numbers
        .iter()
        .zip(&names)
        .filter(|(_, name)| name.is_none())
        .map(|(number, _)| *number)
        .collect();
    if !missing.is_empty() {
        for row in database.rows(
            "SELECT number, name FROM product WHERE number = ANY($1)",
            &[&missing],
        )? {
            let (number, name): (i32, String) = (row.get(0), row.get(1));
            cache.set(&format!("name:{number}"), &name, Ttl::seconds(60));
            let at = numbers
                .iter()
                .position(|one| *one == number)
                .ok_or("a product nobody asked for")?;
            names[at] = Some(name);
        }
    }
    let names = names.into_iter().collect::<Option<Vec<String>>>();
    Ok((names.ok_or("a product is missing")?, hits))
}

fn time_of(mut read: impl FnMut() -> Result<()>) -> Result<Duration> {
    let begun = Instant::now();
    for _ in 0..TURNS {
        read()?;
    }
    Ok(begun.elapsed() / TURNS)
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("multi_get", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let [works, stopped, back] = stage.acts(|random| {
        let mut tally = Tally {
            plain: PAGES * PRODUCTS_OF_A_PAGE,
            ..Tally::default()
        };
        let before = database.queries;
        for _ in 0..PAGES {
            let first = random.below(PRODUCTS as u64) as i32;
            let numbers: Vec<i32> = (0..PRODUCTS_OF_A_PAGE as i32)
                .map(|at| (first + at * 7) % PRODUCTS + 1)
                .collect();
            let (names, hits) = names(&cache, &mut database, &numbers)?;
            let right = numbers.iter().map(|number| format!("product {number}"));
            assert!(names.iter().cloned().eq(right));
            tally.reads += PRODUCTS_OF_A_PAGE;
            tally.hits += hits;
        }
        tally.queries = database.queries - before;
        Ok(tally)
    })?;
    check(
        works.queries < PAGES,
        "a query for a page at most, and for most pages none",
    )?;
    check(
        stopped.queries == PAGES,
        "without the cache it is one query for a page, not forty",
    )?;
    check(back.hit_rate() > 0.8, "and the cache fills itself again")?;
    let numbers: Vec<i32> = (1..=PRODUCTS_OF_A_PAGE as i32).collect();
    names(&cache, &mut database, &numbers)?;
    let together = time_of(|| names(&cache, &mut database, &numbers).map(|_| ()))?;
    let alone = time_of(|| {
        numbers
            .iter()
            .for_each(|number| drop(cache.get(&format!("name:{number}"))));
        Ok(())
    })?;
    println!(
        "{PRODUCTS_OF_A_PAGE} keys: {together:.2?} at once, {alone:.2?} one by one, without any network between"
    );
    check(together < alone, "one request is faster than forty")
}

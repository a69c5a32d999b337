//! Write-through: each write goes to the database and, before it is visible there, to the cache.
//!
//! ```text
//!   write:  BEGIN, UPDATE (takes the row's lock) --> cache set --> COMMIT
//!   read:   cache --miss--> database --> cache add (not set)
//! ```
//!
//! Two races make caches wrong for ever, and both are closed here. Two writers: the row's lock orders them, and each
//! sets the cache while it holds the lock. A reader that brings an old row late: it uses `add`, which never replaces
//! what a writer has set. If the transaction is rolled back, the key is deleted.

use std::thread;

use corecached_client::Ttl;

use crate::cache::Cache;
use crate::stage::{Database, Result, Stage, Tally, check};

const READS: usize = 1500;
const WRITERS: i32 = 6;
const WRITES: i32 = 40;
const TTL: Ttl = Ttl::NEVER;
/// Products that all writers change.
const CONTESTED: [i32; 3] = [1, 2, 3];

/// Sets a price, unless `confirm` refuses.
fn set_price(
    cache: &Cache,
    database: &mut Database,
    number: i32,
    cents: i32,
    confirm: fn() -> Result<()>,
) -> Result<()> {
    let key = format!("price:{number}");
    let outcome = (|| -> Result<()> {
        database.queries += 1;
        let mut transaction = database.client.transaction()?;
        transaction.execute(
            "UPDATE product SET cents = $1 WHERE number = $2",
            &[&cents, &number],
        )?;
        cache.set(&key, &cents.to_string(), TTL);
        confirm()?;
        Ok(transaction.commit()?)
    })();
    if outcome.is_err() {
        cache.delete(&key);
    }
    outcome
}

/// The price, and whether it came from the cache.
fn price(cache: &Cache, database: &mut Database, number: i32) -> Result<(i32, bool)> {
    let key = format!("price:{number}");
    if let Some(cents) = cache.get(&key) {
        return Ok((cents.parse()?, true));
    }
    let cents = truth(database, number)?;
    cache.add(&key, &cents.to_string(), TTL);
    Ok((cents, false))
}

fn truth(database: &mut Database, number: i32) -> Result<i32> {
    let row = database.row("SELECT cents FROM product WHERE number = $1", &[&number])?;
    Ok(row.ok_or("no such product")?.get(0))
}

/// Several writers change the same few prices.
fn write_at_once(cache: &Cache, databases: &mut [Database]) -> Result<()> {
    thread::scope(|scope| {
        let writers: Vec<_> = databases
            .iter_mut()
            .enumerate()
            .map(|(mine, database)| {
                scope.spawn(move || -> Result<()> {
                    for turn in 0..WRITES {
                        let number = CONTESTED[turn as usize % CONTESTED.len()];
                        set_price(
                            cache,
                            database,
                            number,
                            (mine as i32 + 1) * 1000 + turn,
                            || Ok(()),
                        )?;
                    }
                    Ok(())
                })
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("a writer returns its errors"))
    })
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("write_through", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let mut writers = (0..WRITERS)
        .map(|_| stage.database())
        .collect::<Result<Vec<_>>>()?;
    let [works, stopped, back] = stage.acts(|random| {
        write_at_once(&cache, &mut writers)?;
        let mut tally = Tally {
            plain: READS,
            ..Tally::default()
        };
        let before = database.queries;
        for number in random.wanted(READS) {
            tally.read(price(&cache, &mut database, number)?.1);
        }
        tally.queries = database.queries - before;
        for number in CONTESTED {
            let (cents, _) = price(&cache, &mut database, number)?;
            assert_eq!(cents, truth(&mut database, number)?, "product {number}");
        }
        Ok(tally)
    })?;
    check(works.hit_rate() > 0.6, "reads hit")?;
    check(
        stopped.queries == READS,
        "without its cache the application writes and reads the database alone",
    )?;
    check(back.hit_rate() > 0.6, "and goes back to the cache")?;
    let refused = set_price(&cache, &mut database, 1, 77, || {
        Err("the change of price is refused, and rolled back".into())
    });
    println!("{}", refused.err().ok_or("the change was not refused")?);
    check(
        price(&cache, &mut database, 1)?.0 != 77,
        "what was rolled back is not in the cache",
    )
}

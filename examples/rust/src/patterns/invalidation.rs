//! Invalidation on update: a write deletes the key, and the next read brings the new row. Two ways in which that goes
//! wrong.
//!
//! ```text
//!   write:  UPDATE, COMMIT --> cache delete
//!   read:   cache gets --miss--> add a place holder --> gets (its cas unique) --> database --> cas
//! ```
//!
//! 1. A reader has read the old row, a writer updates and deletes, and then the reader stores the old row: it stays
//!    until it expires. With a place holder and `cas` the reader's store fails, since the delete has taken the place
//!    holder away.
//! 2. The delete is not sent, because the server did not answer just now, and it comes back with what it had. Deletes
//!    that failed are kept and sent as soon as it answers.

use std::collections::HashSet;
use std::mem::take;
use std::thread::sleep;

use corecached_client::Ttl;

use crate::cache::{Cache, PAUSE};
use crate::stage::{Database, Result, Stage, Tally, check};

const READS: usize = 2000;
const PLACE_HOLDER: &str = "pending";

fn ttl() -> Ttl {
    Ttl::seconds(300)
}

fn key_of(number: i32) -> String {
    format!("product:{number}")
}

fn from_database(database: &mut Database, number: i32) -> Result<i32> {
    let row = database.row("SELECT cents FROM product WHERE number = $1", &[&number])?;
    Ok(row.ok_or("no such product")?.get(0))
}

/// Cache-aside as it is mostly written.
fn careless_read(
    cache: &Cache,
    database: &mut Database,
    number: i32,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<i32> {
    if let Some(cents) = cache.get(&key_of(number)) {
        return Ok(cents.parse()?);
    }
    let cents = from_database(database, number)?;
    meanwhile()?;
    cache.set(&key_of(number), &cents.to_string(), ttl());
    Ok(cents)
}

/// The price, and whether it came from the cache. Stores only if nobody has deleted the key since it began.
fn careful_read(
    cache: &Cache,
    database: &mut Database,
    number: i32,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<(i32, bool)> {
    let key = key_of(number);
    let found = cache.get(&key);
    match found.as_deref() {
        Some(PLACE_HOLDER) => {}
        Some(cents) => return Ok((cents.parse()?, true)),
        None => {
            cache.add(&key, PLACE_HOLDER, Ttl::seconds(5));
        }
    }
    let held = cache.gets(&key);
    let fresh = from_database(database, number)?;
    meanwhile()?;
    if let Some((held, unique)) = held
        && held == PLACE_HOLDER
    {
        cache.cas(&key, &fresh.to_string(), ttl(), unique);
    }
    Ok((fresh, false))
}

fn nothing() -> Result<()> {
    Ok(())
}

/// Updates rows and deletes their keys; remembers deletes that could not be sent.
struct Writer<'c> {
    cache: &'c Cache,
    database: Database,
    unsent: HashSet<i32>,
}

impl Writer<'_> {
    fn set_price(&mut self, number: i32, cents: i32) -> Result<()> {
        self.database.run(
            "UPDATE product SET cents = $1 WHERE number = $2",
            &[&cents, &number],
        )?;
        self.invalidate(number);
        Ok(())
    }

    fn invalidate(&mut self, number: i32) {
        if self.cache.delete(&key_of(number)).is_none() {
            self.unsent.insert(number);
        }
    }

    fn send_unsent(&mut self) {
        for number in take(&mut self.unsent) {
            self.invalidate(number);
        }
    }
}

fn show_race(cache: &Cache, database: &mut Database, writer: &mut Writer<'_>) -> Result<()> {
    careless_read(cache, database, 7, || writer.set_price(7, 1111))?;
    let stale = careless_read(cache, database, 7, nothing)?;
    println!("get, then set: the price is 1111, and the cache says {stale}");
    check(
        stale == 70,
        "a reader that comes late keeps the old price in the cache for all of its time to live",
    )?;
    writer.invalidate(7);
    careful_read(cache, database, 8, || writer.set_price(8, 2222))?;
    let (fresh, _) = careful_read(cache, database, 8, nothing)?;
    println!("place holder and cas: the price is 2222, and the cache says {fresh}");
    check(fresh == 2222, "the late store was refused")
}

fn show_freeze(
    stage: &Stage,
    cache: &Cache,
    database: &mut Database,
    writer: &mut Writer<'_>,
) -> Result<()> {
    careful_read(cache, database, 9, nothing)?;
    stage.server.signal("STOP")?;
    writer.set_price(9, 3333)?;
    let waiting = writer.unsent.len();
    stage.server.signal("CONT")?;
    sleep(PAUSE);
    let (stale, _) = careful_read(cache, database, 9, nothing)?;
    writer.send_unsent();
    let (fresh, _) = careful_read(cache, database, 9, nothing)?;
    println!(
        "the server hangs during an update: {waiting} delete kept; the cache says {stale}, then {fresh}"
    );
    // The delete that was given up may have been in the socket already, and be done when the server goes on.
    check(
        waiting == 1 && [90, 3333].contains(&stale),
        "a server that comes back may have what it had",
    )?;
    check(
        fresh == 3333 && writer.unsent.is_empty(),
        "the delete that was kept has mended it",
    )
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("invalidation", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let mut writer = Writer {
        cache: &cache,
        database: stage.database()?,
        unsent: HashSet::new(),
    };
    show_race(&cache, &mut database, &mut writer)?;
    show_freeze(&stage, &cache, &mut database, &mut writer)?;
    let rows = database.rows("SELECT cents FROM product ORDER BY number", &[])?;
    let mut prices: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    let [works, stopped, back] = stage.acts(|random| {
        let mut tally = Tally {
            plain: READS,
            ..Tally::default()
        };
        let before = database.queries;
        for (turn, number) in random.wanted(READS).into_iter().enumerate() {
            let price = &mut prices[number as usize - 1];
            if turn % 20 == 0 {
                *price += 1;
                writer.set_price(number, *price)?;
            }
            let (cents, is_hit) = careful_read(&cache, &mut database, number, nothing)?;
            assert_eq!(cents, *price, "product {number} is stale");
            tally.read(is_hit);
        }
        tally.queries = database.queries - before;
        Ok(tally)
    })?;
    check(
        works.hit_rate() > 0.6,
        "one write for twenty reads, most reads hit, and none was stale",
    )?;
    check(
        stopped.queries == READS,
        "without its cache the application asks the database",
    )?;
    check(back.hit_rate() > 0.6, "and goes back to the cache")
}

//! Sessions: read from the cache at every request, kept in the database, so that nobody is logged out by a restart.
//!
//! ```text
//!   log in, change:  database --> cache
//!   request:         cache --hit--> session, touch       (its time begins anew)
//!                      '--miss--> database --> cache
//! ```
//!
//! A session that is in the cache alone is gone with the server, or evicted when memory is short. Here the cache takes
//! the reads, which are nearly all, and the database the few writes.

use corecached_client::Ttl;

use crate::cache::Cache;
use crate::stage::{Database, Result, Stage, Tally, check};

const USERS: usize = 100;
const REQUESTS: usize = 2000;
const LIFE_SECONDS: u32 = 1800;

struct Sessions<'c> {
    cache: &'c Cache,
    database: Database,
}

impl Sessions<'_> {
    /// Keeps the basket of the session with this token.
    fn store(&mut self, token: &str, basket: &str) -> Result<()> {
        self.database.run(
            "INSERT INTO session VALUES ($1, $2, now() + interval '30 minutes') \
             ON CONFLICT (token) DO UPDATE SET basket = excluded.basket, ends = excluded.ends",
            &[&token, &basket],
        )?;
        self.cache.set(
            &format!("session:{token}"),
            basket,
            Ttl::seconds(LIFE_SECONDS),
        );
        Ok(())
    }

    /// The basket, if there is such a session, and whether it came from the cache.
    fn load(&mut self, token: &str) -> Result<(Option<String>, bool)> {
        let key = format!("session:{token}");
        if let Some(basket) = self.cache.get(&key) {
            self.cache.touch(&key, Ttl::seconds(LIFE_SECONDS));
            return Ok((Some(basket), true));
        }
        let row = self.database.row(
            "SELECT basket FROM session WHERE token = $1 AND ends > now()",
            &[&token],
        )?;
        let basket: Option<String> = row.map(|row| row.get(0));
        if let Some(basket) = &basket {
            self.cache.set(&key, basket, Ttl::seconds(LIFE_SECONDS));
        }
        Ok((basket, false))
    }

    fn log_out(&mut self, token: &str) -> Result<()> {
        self.database
            .run("DELETE FROM session WHERE token = $1", &[&token])?;
        self.cache.delete(&format!("session:{token}"));
        Ok(())
    }
}

pub(super) fn run() -> Result<()> {
    let mut stage = Stage::new("sessions", Vec::new())?;
    let (cache, mut database) = (stage.cache()?, stage.database()?);
    let table = "CREATE TABLE session (token text PRIMARY KEY, basket text NOT NULL, ends timestamptz NOT NULL)";
    database.run(table, &[])?;
    let mut sessions = Sessions {
        cache: &cache,
        database,
    };
    // An application draws tokens that nobody can guess.
    let tokens: Vec<String> = (0..USERS).map(|user| format!("token-{user}")).collect();
    let mut baskets: Vec<String> = (0..USERS).map(|user| format!("user {user}:")).collect();
    for (token, basket) in tokens.iter().zip(&baskets) {
        sessions.store(token, basket)?;
    }
    let [works, stopped, back] = stage.acts(|random| {
        let mut tally = Tally {
            plain: REQUESTS,
            ..Tally::default()
        };
        let before = sessions.database.queries;
        for turn in 0..REQUESTS {
            let user = random.below(USERS as u64) as usize;
            let (basket, is_hit) = sessions.load(&tokens[user])?;
            assert_eq!(
                basket.as_ref(),
                Some(&baskets[user]),
                "logged out, or another session"
            );
            tally.read(is_hit);
            if turn % 50 == 0 {
                baskets[user] += &format!(" {turn}");
                sessions.store(&tokens[user], &baskets[user])?;
                tally.plain += 1;
            }
        }
        tally.queries = sessions.database.queries - before;
        Ok(tally)
    })?;
    check(
        works.hit_rate() > 0.99,
        "nearly every request finds its session in the cache",
    )?;
    check(
        stopped.hits == 0,
        "without the cache nobody was logged out, and no basket is lost",
    )?;
    check(
        back.hit_rate() > 0.9,
        "after its return the sessions come back as they are asked for",
    )?;
    sessions.log_out(&tokens[0])?;
    check(
        sessions.load(&tokens[0])? == (None, false),
        "who logs out is out",
    )
}

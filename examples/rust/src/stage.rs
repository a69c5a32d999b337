//! What the patterns run on: a PostgreSQL, a cache server of their own that can be stopped, and a tally.
//!
//! ```text
//!   Stage --> Database   a schema of its own in the PostgreSQL of DATABASE_URL; counts its queries
//!         --> Server     the binary of CORECACHED_BIN on a free port; can be killed, frozen, started again
//!         --> Cache      the client of cache.rs
//! ```
//!
//! None of this belongs into an application: a pattern's own code stands in the pattern's file.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use corecached_client::{Config, Connection};
use postgres::types::ToSql;
use postgres::{NoTls, Row};

use crate::cache::{Cache, PAUSE};

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Products in the database: numbers from 1 on.
pub(crate) const PRODUCTS: i32 = 400;
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that counts its queries.
pub(crate) struct Database {
    pub(crate) client: postgres::Client,
    pub(crate) queries: usize,
}

impl Database {
    fn open(schema: &str) -> Result<Database> {
        let mut client = postgres::Client::connect(&std::env::var("DATABASE_URL")?, NoTls)?;
        client.batch_execute(&format!("SET search_path = {schema}"))?;
        Ok(Database { client, queries: 0 })
    }

    pub(crate) fn rows(
        &mut self,
        query: &str,
        arguments: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.queries += 1;
        Ok(self.client.query(query, arguments)?)
    }

    pub(crate) fn row(
        &mut self,
        query: &str,
        arguments: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        self.queries += 1;
        Ok(self.client.query_opt(query, arguments)?)
    }

    pub(crate) fn run(&mut self, query: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.queries += 1;
        Ok(self.client.execute(query, arguments)?)
    }
}

/// The cache server, as a process that the program may stop.
pub(crate) struct Server {
    pub(crate) options: Vec<String>,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Server {
    fn start_new(options: Vec<String>) -> Result<Server> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let child = spawn(address, &options)?;
        let mut server = Server {
            options,
            address,
            child,
        };
        server.wait()?;
        Ok(server)
    }

    /// Starts it again, on the same port.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.child = spawn(self.address, &self.options)?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        while !self.answers() {
            if self.child.try_wait()?.is_some() || Instant::now() > end {
                return Err("the cache server does not start".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        Connection::open(self.address, &Config::new())
            .is_ok_and(|mut server| server.version().is_ok())
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it by a signal, and waits until it is gone.
    pub(crate) fn end_by(&mut self, signal: &str) -> Result<()> {
        self.signal(signal)?;
        self.child.wait()?;
        Ok(())
    }

    /// `STOP`: the machine is there, the server does not answer, as with a broken network; `CONT` ends that.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill")
            .args(["-s", signal, &self.child.id().to_string()])
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(format!("no signal {signal}").into())
        }
    }
}

fn spawn(address: SocketAddr, options: &[String]) -> Result<Child> {
    let binary = std::env::var("CORECACHED_BIN").map_err(|_| "CORECACHED_BIN names no server")?;
    let mut command = Command::new(binary);
    command.args(["-l", "127.0.0.1", "-U", "0", "-t", "1", "-p"]);
    command.arg(address.port().to_string()).args(options);
    if std::env::var("USER").is_ok_and(|user| user == "root") || is_root() {
        command.args(["-u", "root"]);
    }
    command.stdin(Stdio::null()).stderr(Stdio::null());
    Ok(command.spawn()?)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|of_this_process| of_this_process.uid() == 0)
}

/// What an act has cost. `plain` is the number of queries that the same program without a cache would have made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) reads: usize,
    pub(crate) hits: usize,
    pub(crate) queries: usize,
    pub(crate) plain: usize,
}

impl Tally {
    pub(crate) fn read(&mut self, is_hit: bool) {
        self.reads += 1;
        self.hits += usize::from(is_hit);
    }

    pub(crate) fn hit_rate(&self) -> f64 {
        self.hits as f64 / self.reads.max(1) as f64
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            reads,
            queries,
            plain,
            ..
        } = *self;
        let (rate, saved) = (
            100.0 * self.hit_rate(),
            100.0 * (1.0 - queries as f64 / plain.max(1) as f64),
        );
        write!(
            f,
            "{reads} reads, hit rate {rate:.1}%; {queries} database queries instead of {plain}, {saved:.1}% saved"
        )
    }
}

/// Numbers that look random and are the same in every run (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Product numbers as visitors ask for them: few very often, most seldom (a Zipf distribution of 1).
    pub(crate) fn wanted(&mut self, reads: usize) -> Vec<i32> {
        let ends: Vec<f64> = (1..=PRODUCTS)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / f64::from(rank);
                Some(*sum)
            })
            .collect();
        let all = ends[ends.len() - 1];
        let number = |share: f64| ends.partition_point(|end| *end < share * all) as i32 + 1;
        (0..reads)
            .map(|_| number(self.below(1 << 30) as f64 / (1u64 << 30) as f64).min(PRODUCTS))
            .collect()
    }
}

/// Puts everything up, and takes it down again whatever happens.
pub(crate) struct Stage {
    schema: String,
    pub(crate) random: Random,
    pub(crate) server: Server,
}

impl Stage {
    pub(crate) fn new(name: &str, server_options: Vec<String>) -> Result<Stage> {
        let schema = format!("rust_{name}_{}", std::process::id());
        let server = Server::start_new(server_options)?;
        let stage = Stage {
            schema,
            random: Random(7),
            server,
        };
        let mut database = stage.database()?;
        database.client.batch_execute(&format!(
            "CREATE SCHEMA {}; CREATE TABLE product (number int PRIMARY KEY, name text NOT NULL, cents int NOT NULL, \
             views bigint NOT NULL DEFAULT 0); INSERT INTO product SELECT n, 'product ' || n, n * 10 \
             FROM generate_series(1, {PRODUCTS}) AS n",
            stage.schema
        ))?;
        Ok(stage)
    }

    pub(crate) fn database(&self) -> Result<Database> {
        Database::open(&self.schema)
    }

    pub(crate) fn cache(&self) -> Result<Cache> {
        Cache::new(self.server.address)
    }

    /// Runs `act` while the cache works, after it was killed, and after it was started again. Returns the three
    /// tallies.
    pub(crate) fn acts(
        &mut self,
        mut act: impl FnMut(&mut Random) -> Result<Tally>,
    ) -> Result<[Tally; 3]> {
        let works = say("the cache works", act(&mut self.random)?);
        self.server.kill()?;
        let stopped = say("the cache is stopped", act(&mut self.random)?);
        self.server.start()?;
        // By then the client tries again.
        sleep(PAUSE);
        let back = say("the cache is back, and empty", act(&mut self.random)?);
        Ok([works, stopped, back])
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if matches!(self.server.child.try_wait(), Ok(None)) {
            let _ = self.server.kill();
        }
        if let Ok(mut database) = self.database() {
            let _ = database
                .client
                .batch_execute(&format!("DROP SCHEMA {} CASCADE", self.schema));
        }
    }
}

pub(crate) fn say(what: &str, tally: Tally) -> Tally {
    println!("{what}: {tally}");
    tally
}

/// Ends the program if what it claims is not so.
pub(crate) fn check(fact: bool, sentence: &str) -> Result<()> {
    if !fact {
        return Err(format!("NOT SO: {sentence}").into());
    }
    println!("so it is: {sentence}");
    Ok(())
}

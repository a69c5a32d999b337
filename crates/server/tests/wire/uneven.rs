//! Shards that are not used alike: memory goes where the data is, and stays where it is used.

use std::time::{Duration, Instant};

use corecached_engine::KeyHasher;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::client::{Client, pattern};
use crate::server::Server;

/// Bytes of a value.
const VALUE_BYTES: usize = 1000;
/// Keys in one request.
const BATCH: usize = 50;
/// Waiting longer than this for memory to move is a failure, on a busy machine, too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server, and what is needed to use only some of its shards.
struct Cache {
    server: Server,
    client: Client,
    hasher: KeyHasher,
    shards: usize,
    value: Vec<u8>,
}

impl Cache {
    /// With so many shards of 16 MiB each.
    fn start(shards: usize) -> Self {
        let memory = (16 * shards).to_string();
        let server = Server::start(shards, &["-m", &memory, "-o", "debugtime", "-I", "8m"]);
        let mut client = server.connect();
        let seed = client.stats("shards").get("hash_seed").cloned();
        let seed = seed.unwrap_or_default().parse().unwrap_or(0);
        Self {
            server,
            client,
            hasher: KeyHasher::new(seed),
            shards,
            value: pattern(1, VALUE_BYTES),
        }
    }

    /// `count` keys that belong to a shard.
    fn keys_of(&self, shard: usize, prefix: &str, count: usize) -> Vec<String> {
        let owner = |key: &String| {
            let hash = self.hasher.hash(key.as_bytes()).0;
            ((hash >> 32) as usize * self.shards) >> 32
        };
        let keys = (0..).map(|number| format!("{prefix}-{number}"));
        keys.filter(|key| owner(key) == shard).take(count).collect()
    }

    /// Stores keys for `ttl` seconds, 0 for ever, without waiting for replies.
    fn store<'a>(&mut self, keys: impl IntoIterator<Item = &'a String>, ttl: u32) {
        let mut requests = Vec::new();
        for key in keys {
            requests.extend(format!("set {key} 0 {ttl} {VALUE_BYTES} noreply\r\n").bytes());
            requests.extend(&self.value);
            requests.extend(b"\r\n");
        }
        self.client.send(requests);
    }

    /// Asks for keys, and stores those that are missing, as an application does. Returns the share of hits.
    fn visit(&mut self, keys: &[String]) -> f64 {
        let mut hits = 0;
        for batch in keys.chunks(BATCH) {
            self.client.send(format!("get {}\r\n", batch.join(" ")));
            let found = self.client.values();
            hits += found.len();
            let mut found = found.iter().map(|value| &value.key).peekable();
            let missing = batch.iter().filter(|key| found.next_if_eq(key).is_none());
            self.store(missing, 0);
        }
        hits as f64 / keys.len() as f64
    }

    /// Fills all shards alike with keys that nobody asks for, until they evict.
    fn fill(&mut self) {
        let mut number = 0;
        while self.client.stat("evictions") < 10_000 {
            let keys: Vec<String> = (number..number + 1000)
                .map(|number| format!("fill-{number}"))
                .collect();
            self.store(&keys, 0);
            number += 1000;
        }
    }

    /// Visits keys again and again until nearly all of them are there.
    fn settle(&mut self, keys: &[String]) {
        let begun = Instant::now();
        loop {
            let share = self.visit(keys);
            if share > 0.95 {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{share:.3} of the requests hit: {}",
                self.state()
            );
        }
    }

    /// A number that `stats shards` gives for each shard.
    fn by_shard(&mut self, name: &str) -> Vec<u64> {
        let stats = self.client.stats("shards");
        let values = (0..self.shards).map(|shard| &stats[&format!("{shard}:{name}")]);
        values.map(|value| value.parse().unwrap()).collect()
    }

    fn state(&mut self) -> String {
        let names = ["memory_bytes", "pages_given", "turnover_ms", "idle_seconds"];
        names
            .map(|name| format!("{name} {:?}", self.by_shard(name)))
            .join(", ")
    }
}

#[test]
fn memory_follows_the_data_to_one_shard() {
    let mut cache = Cache::start(4);
    if cache.server.is_old_memcached {
        return;
    }
    cache.fill();
    let keys = cache.keys_of(2, "hot", 40_000);
    // A quarter of the memory would be 0.4 at best.
    cache.settle(&keys);
    let held = cache.by_shard("memory_bytes")[2];
    assert!(held > 40_000_000, "{held} bytes");
}

/// A shard that has nothing but its reserve cannot evict its way to more.
#[test]
fn a_large_value_finds_room_in_a_shard_that_came_late() {
    let mut cache = Cache::start(4);
    if cache.server.is_old_memcached {
        return;
    }
    for shard in [0, 1, 3] {
        let keys = cache.keys_of(shard, "early", 22_000);
        cache.store(&keys, 0);
    }
    let key = cache.keys_of(2, "late", 1).remove(0);
    let value = pattern(2, 6_000_000);
    let begun = Instant::now();
    loop {
        let reply = cache.client.set(&key, &value);
        if reply == "STORED" {
            break;
        }
        assert_eq!(reply, "SERVER_ERROR out of memory storing object");
        assert!(begun.elapsed() < PATIENCE, "{}", cache.state());
    }
    println!("after {:?}: {}", begun.elapsed(), cache.state());
    assert!(cache.client.get(&key) == Some(value));
}

#[test]
fn shards_that_are_used_alike_exchange_no_pages() {
    let mut cache = Cache::start(4);
    if cache.server.is_old_memcached {
        return;
    }
    cache.fill();
    let keys: Vec<String> = (0..120_000).map(|number| format!("key-{number}")).collect();
    let mut random = StdRng::seed_from_u64(1);
    let before: u64 = cache.by_shard("pages_given").iter().sum();
    let begun = Instant::now();
    let mut asked = 0;
    // Ten times what fits, and for long enough that turnovers mean something.
    while asked < 600_000 || begun.elapsed() < Duration::from_secs(8) {
        // Some keys more often than others, and nearly half of the requests miss.
        let some: Vec<String> = (0..2000)
            .map(|_| keys[(random.random::<f64>().powi(2) * keys.len() as f64) as usize].clone())
            .collect();
        cache.visit(&some);
        asked += some.len();
        // By the server's clock everything is older than what any shard evicts.
        assert_eq!(cache.client.ask("debugtime 2"), "OK");
    }
    let given = cache.by_shard("pages_given").iter().sum::<u64>() - before;
    println!("{asked} requests, {given} pages: {}", cache.state());
    assert!(cache.client.stat("evictions") > 100_000);
    // Of 1024, and what evicts in other proportions exchanges thousands.
    assert!(given <= 40, "{given} pages: {}", cache.state());
}

#[test]
fn what_is_read_stays_while_another_shard_is_churned() {
    let mut cache = Cache::start(2);
    if cache.server.is_old_memcached {
        return;
    }
    let read = cache.keys_of(0, "read", 13_000);
    cache.store(&read, 0);
    let written = cache.keys_of(1, "written", 400_000);
    let begun = Instant::now();
    let mut rounds = 0;
    for some in written.chunks(6000).cycle() {
        // A third of what the other shard holds, or less, for each time that everything is read.
        cache.store(some, 0);
        let share = cache.visit(&read);
        assert!(
            share > 0.999,
            "round {rounds}: {share:.3} of the reads hit: {}",
            cache.state()
        );
        rounds += 1;
        if rounds >= 20 && begun.elapsed() > Duration::from_secs(8) {
            break;
        }
    }
    println!("{rounds} rounds: {}", cache.state());
    assert!(cache.by_shard("turnover_ms")[1] > 0, "nothing was evicted");
    assert!(cache.by_shard("pages_given")[0] <= 2, "{}", cache.state());
}

#[test]
fn memory_of_items_that_expire_goes_to_who_needs_it() {
    let mut cache = Cache::start(2);
    if cache.server.is_old_memcached {
        return;
    }
    let mortal = cache.keys_of(0, "mortal", 20_000);
    cache.store(&mortal, 2);
    let keys = cache.keys_of(1, "key", 24_000);
    cache.settle(&keys);
}

#[test]
fn memory_of_deleted_items_goes_to_who_needs_it() {
    let mut cache = Cache::start(2);
    if cache.server.is_old_memcached {
        return;
    }
    let deleted = cache.keys_of(0, "deleted", 20_000);
    cache.store(&deleted, 0);
    // Three in four: nearly every page keeps something.
    let mut requests = String::new();
    for (number, key) in deleted.iter().enumerate() {
        if number % 4 != 0 {
            requests += &format!("delete {key} noreply\r\n");
        }
    }
    cache.client.send(requests);
    let keys = cache.keys_of(1, "key", 22_000);
    cache.settle(&keys);
}

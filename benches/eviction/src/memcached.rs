//! A real memcached on a Unix socket, read through in batches.
//!
//! One `get` asks for a batch of keys, then each miss is set. A key that comes a second time ends the batch, so that it
//! is asked for after its set, as it would be without batches.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use corecached_client::request::{GetMany, Store, StoreVerb};
use corecached_client::{Connection, Error, Protocol, Session, Ttl};

use crate::engine::{VALUE_BYTES_MAX, key_name};
use crate::stream::{Op, Request};

/// Keys of one `get`.
const BATCH: usize = 32;
/// How long a memcached may take until it listens.
const START: Duration = Duration::from_secs(10);

/// A running memcached; it ends when this is dropped.
#[derive(Debug)]
pub struct Memcached {
    child: Child,
    socket: PathBuf,
    connection: Connection<UnixStream>,
    value: Vec<u8>,
    batch: Vec<Request>,
    batched: HashSet<u64>,
}

/// What a memcached holds.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Items.
    pub items: u64,
    /// Bytes of slab pages and hash table.
    pub memory_bytes: u64,
    /// Values that found no memory.
    pub refused: u64,
}

impl Memcached {
    /// Starts `program` with `-m megabytes` and one thread.
    ///
    /// # Errors
    ///
    /// It does not start, or does not listen in time.
    pub fn start(program: &str, megabytes: u64) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("corecached-eviction-{}-{number}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let mut child = Command::new(program)
            .args(["-m", &megabytes.to_string(), "-t", "1", "-u", "root", "-s"])
            .arg(&socket)
            .stdin(Stdio::null())
            .spawn()?;
        let connection = connect(&socket).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        Ok(Self {
            child,
            socket,
            connection: Connection::over(connection, Session::new(Protocol::Text, VALUE_BYTES_MAX)),
            value: vec![b'v'; VALUE_BYTES_MAX],
            batch: Vec::new(),
            batched: HashSet::new(),
        })
    }

    /// Serves one request, sooner or later; calls `count` with each read-through that is done and whether it was a hit.
    ///
    /// # Errors
    ///
    /// The connection broke, or memcached answered something else than a get's reply.
    pub fn request(
        &mut self,
        request: Request,
        count: &mut impl FnMut(&Request, bool),
    ) -> io::Result<()> {
        if self.batched.contains(&request.key) || self.batch.len() == BATCH {
            self.flush(count)?;
        }
        if request.op == Op::Write {
            self.flush(count)?;
            return self.set(&request);
        }
        self.batched.insert(request.key);
        self.batch.push(request);
        Ok(())
    }

    /// Serves what is waiting.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub fn flush(&mut self, count: &mut impl FnMut(&Request, bool)) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let keys: Vec<_> = batch.iter().map(|request| key_name(request.key)).collect();
        let items = self.connection.call(&GetMany::new(&keys)).map_err(broken)?;
        for (request, item) in batch.iter().zip(&items) {
            count(request, item.is_some());
            if item.is_none() {
                self.ask_set(request)?;
            }
        }
        self.batch = batch;
        self.batch.clear();
        self.batched.clear();
        self.connection.write_out().map_err(broken)
    }

    /// Stores the value that a request wants.
    fn set(&mut self, request: &Request) -> io::Result<()> {
        self.ask_set(request)?;
        self.connection.write_out().map_err(broken)
    }

    /// The same, to be sent with what comes next.
    fn ask_set(&mut self, request: &Request) -> io::Result<()> {
        let (key, value) = (
            key_name(request.key),
            &self.value[..request.value_bytes as usize],
        );
        let store = Store::new(StoreVerb::Set, &key, value)
            .ttl(Ttl::from_wire(request.ttl as i32))
            .unanswered();
        let asked = self.connection.session().ask(&store);
        asked.map(drop).map_err(broken)
    }

    /// What it holds now.
    ///
    /// # Errors
    ///
    /// The connection broke, or a statistic is missing.
    pub fn held(&mut self) -> io::Result<Held> {
        let general = self.stats("")?;
        let slabs = self.stats("slabs")?;
        let items = self.stats("items")?;
        let number = |stats: &HashMap<String, String>, name: &str| -> io::Result<u64> {
            let text = stats.get(name);
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| io::Error::other(format!("no statistic {name}")))
        };
        let refused = items
            .iter()
            .filter(|(name, _)| name.ends_with(":outofmemory"))
            .filter_map(|(_, text)| text.parse::<u64>().ok())
            .sum();
        Ok(Held {
            items: number(&general, "curr_items")?,
            memory_bytes: number(&general, "hash_bytes")? + number(&slabs, "total_malloced")?,
            refused,
        })
    }

    fn stats(&mut self, of: &str) -> io::Result<HashMap<String, String>> {
        let stats = self.connection.stats(of).map_err(broken)?;
        Ok(stats.into_iter().collect())
    }
}

fn broken(error: Error) -> io::Error {
    io::Error::other(error)
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Err(_) if start.elapsed() < START => sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to be done about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

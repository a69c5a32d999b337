//! A real memcached on a Unix socket, read through in batches.
//!
//! One `get` asks for a batch of keys, then each miss is set. A key that comes a second time ends the batch, so that it is
//! asked for after its set, as it would be without batches.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::engine::{KEY_BYTES, VALUE_BYTES_MAX, key_name};
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
    connection: BufReader<UnixStream>,
    output: Vec<u8>,
    value: Vec<u8>,
    batch: Vec<Request>,
    batched: HashSet<u64>,
    skipped: Vec<u8>,
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
            connection: BufReader::with_capacity(1 << 20, connection),
            output: Vec::new(),
            value: vec![b'v'; VALUE_BYTES_MAX],
            batch: Vec::new(),
            batched: HashSet::new(),
            skipped: Vec::new(),
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
            self.output_set(&request);
            return self.send();
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
        self.output.extend_from_slice(b"get");
        for request in &self.batch {
            self.output.push(b' ');
            self.output.extend_from_slice(&key_name(request.key));
        }
        self.output.extend_from_slice(b"\r\n");
        self.send()?;
        let mut hit = self.read_hit()?;
        let batch = std::mem::take(&mut self.batch);
        for request in &batch {
            let is_hit = hit == Some(key_name(request.key));
            count(request, is_hit);
            if is_hit {
                hit = self.read_hit()?;
            } else {
                self.output_set(request);
            }
        }
        if hit.is_some() {
            return Err(io::Error::other("a reply to a get out of order"));
        }
        self.batch = batch;
        self.batch.clear();
        self.batched.clear();
        self.send()
    }

    /// The key of the next value of a get's reply, `None` at its end.
    fn read_hit(&mut self) -> io::Result<Option<[u8; KEY_BYTES]>> {
        let line = self.read_line()?;
        if line == "END" {
            return Ok(None);
        }
        let mut words = line.split(' ');
        let value = (words.next(), words.next(), words.next(), words.next());
        let (Some("VALUE"), Some(key), Some(_), Some(length)) = value else {
            return Err(io::Error::other(format!("unexpected reply {line:?}")));
        };
        let key = key.as_bytes().try_into().map_err(io::Error::other)?;
        let length: usize = length.parse().map_err(io::Error::other)?;
        self.skipped.resize(length + 2, 0);
        self.connection.read_exact(&mut self.skipped)?;
        Ok(Some(key))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.connection.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn output_set(&mut self, request: &Request) {
        let Request {
            key,
            ttl,
            value_bytes,
            ..
        } = *request;
        self.output.extend_from_slice(b"set ");
        self.output.extend_from_slice(&key_name(key));
        self.output
            .extend_from_slice(format!(" 0 {ttl} {value_bytes} noreply\r\n").as_bytes());
        self.output
            .extend_from_slice(&self.value[..value_bytes as usize]);
        self.output.extend_from_slice(b"\r\n");
    }

    fn send(&mut self) -> io::Result<()> {
        self.connection.get_mut().write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// What it holds now.
    ///
    /// # Errors
    ///
    /// The connection broke, or a statistic is missing.
    pub fn held(&mut self) -> io::Result<Held> {
        let general = self.stats("stats")?;
        let slabs = self.stats("stats slabs")?;
        let items = self.stats("stats items")?;
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

    fn stats(&mut self, command: &str) -> io::Result<HashMap<String, String>> {
        self.output.extend_from_slice(command.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.send()?;
        let mut stats = HashMap::new();
        loop {
            let line = self.read_line()?;
            if line == "END" {
                return Ok(stats);
            }
            let Some((name, value)) = line
                .strip_prefix("STAT ")
                .and_then(|rest| rest.split_once(' '))
            else {
                return Err(io::Error::other(format!("unexpected reply {line:?}")));
            };
            stats.insert(name.to_owned(), value.to_owned());
        }
    }
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

//! The scripted server: it answers rightly (gets what was set) except where its script says otherwise, and writes down
//! what arrived on which connection. A thread for each connection.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The action of a scripted server on a command line (of a set: after its data block was read).
pub(crate) type Script = dyn Fn(&Line<'_>) -> Action + Send + Sync;

/// A command, as a script sees it.
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    /// Of a set: its data block.
    pub(crate) data: &'a [u8],
    /// Which connection it came on, counted in the order in which they were accepted.
    pub(crate) connection: usize,
    pub(crate) peer: SocketAddr,
    pub(crate) server_port: u16,
}

impl Line<'_> {
    /// The word after the command.
    pub(crate) fn key(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn is_get(&self) -> bool {
        self.text.starts_with("get ")
    }
}

/// The action on a command.
pub(crate) enum Action {
    Reply(String),
    Bytes(Vec<u8>),
    /// Answer after this time; later commands on the connection wait, too.
    Late(Duration, Vec<u8>),
    /// Read it and do not answer.
    Silence,
    Close,
}

/// Starts a server with a thread per connection; its threads end with the test process.
pub(crate) fn scripted(script: impl Fn(&Line<'_>) -> Action + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, Arc::new(script));
    address
}

/// Starts a scripted server on a listener that is already bound.
pub(crate) fn serve(listener: TcpListener, script: Arc<Script>) {
    let switches = Arc::<Switches>::default();
    std::thread::spawn(move || accept(&listener, &script, &switches));
}

/// The switches by which a test changes a running server.
#[derive(Default)]
struct Switches {
    /// Requests are read no more, as if the process were stopped.
    paused: Mutex<bool>,
    resumed: Condvar,
    dead: AtomicBool,
    /// Gets that were answered.
    answered: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Switches {
    fn wait_while_paused(&self) {
        let paused = self.paused.lock().unwrap();
        drop(self.resumed.wait_while(paused, |paused| *paused).unwrap());
    }

    fn pause(&self, paused: bool) {
        *self.paused.lock().unwrap() = paused;
        self.resumed.notify_all();
    }
}

fn accept(listener: &TcpListener, script: &Arc<Script>, switches: &Arc<Switches>) {
    let next = AtomicUsize::new(0);
    for stream in listener.incoming().flatten() {
        if switches.dead.load(Ordering::SeqCst) {
            return;
        }
        let connection = next.fetch_add(1, Ordering::SeqCst);
        let kept = stream.try_clone().unwrap();
        switches.streams.lock().unwrap().push(kept);
        let (script, switches) = (Arc::clone(script), Arc::clone(switches));
        // A connection that ends is no failure of a test.
        std::thread::spawn(move || converse(stream, connection, &*script, &switches).ok());
    }
}

fn converse(
    stream: TcpStream,
    connection: usize,
    script: &Script,
    switches: &Switches,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (peer, server_port) = (stream.peer_addr()?, stream.local_addr()?.port());
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let text = line.trim_end();
        let mut data = vec![0; data_bytes(text)];
        reader.read_exact(&mut data)?;
        switches.wait_while_paused();
        if let Some(reply) = standard_reply(text) {
            writer.write_all(reply.as_bytes())?;
            continue;
        }
        let action = script(&Line {
            text,
            data: &data,
            connection,
            peer,
            server_port,
        });
        switches.wait_while_paused();
        match action {
            Action::Reply(reply) => writer.write_all(reply.as_bytes())?,
            Action::Bytes(reply) => writer.write_all(&reply)?,
            Action::Late(pause, reply) => {
                std::thread::sleep(pause);
                writer.write_all(&reply)?;
            }
            Action::Silence => continue,
            Action::Close => return writer.shutdown(Shutdown::Both),
        }
        switches
            .answered
            .fetch_add(u64::from(text.starts_with("get ")), Ordering::SeqCst);
    }
}

/// The length of the data block that follows a command line, its line end included.
fn data_bytes(line: &str) -> usize {
    let words: Vec<&str> = line.split(' ').collect();
    let bytes = match words.as_slice() {
        ["set", _, _, _, bytes, ..] | ["ms", _, bytes, ..] => bytes,
        _ => return 0,
    };
    bytes.parse::<usize>().unwrap() + 2
}

/// The replies that every scripted server gives alike.
fn standard_reply(line: &str) -> Option<&'static str> {
    match line {
        "version" => Some("VERSION scripted\r\n"),
        "stats" => Some("END\r\n"),
        _ => None,
    }
}

/// Items that were set.
#[derive(Default)]
pub(crate) struct Items(Mutex<HashMap<String, Vec<u8>>>);

impl Items {
    /// The right answer to a get or set.
    pub(crate) fn answer(&self, line: &Line<'_>) -> Vec<u8> {
        let key = line.key();
        if line.is_get() {
            return self.value(key, key);
        }
        let mut items = self.0.lock().unwrap();
        items.insert(key.to_owned(), line.data.to_vec());
        b"STORED\r\n".to_vec()
    }

    /// The value of `of` with the name `named`.
    pub(crate) fn value(&self, of: &str, named: &str) -> Vec<u8> {
        let items = self.0.lock().unwrap();
        let Some(data) = items.get(of) else {
            return b"END\r\n".to_vec();
        };
        let mut reply = format!("VALUE {named} 0 {}\r\n", data.len() - 2).into_bytes();
        reply.extend_from_slice(data);
        reply.extend_from_slice(b"END\r\n");
        reply
    }

    /// Another key than this one.
    pub(crate) fn another(&self, key: &str) -> String {
        let items = self.0.lock().unwrap();
        items.keys().find(|other| *other != key).unwrap().clone()
    }
}

/// The facts about a get that a script is told beside its line.
pub(crate) struct Get<'a> {
    /// How many came before, on all connections.
    pub(crate) number: usize,
    /// The items set so far.
    pub(crate) items: &'a Items,
    /// The right answer.
    pub(crate) right: Vec<u8>,
}

/// A server that can be looked into and tampered with. Sets are always answered rightly; a script decides how gets are
/// answered.
pub(crate) struct Bed {
    pub(crate) address: String,
    switches: Arc<Switches>,
    gets: Arc<Mutex<BTreeMap<usize, u64>>>,
    listener: SocketAddr,
}

impl Bed {
    /// A server that answers rightly.
    pub(crate) fn honest() -> Self {
        Self::start(|_, get| Action::Bytes(get.right))
    }

    /// A server with a script for gets.
    pub(crate) fn start(
        script: impl Fn(&Line<'_>, Get<'_>) -> Action + Send + Sync + 'static,
    ) -> Self {
        let items = Items::default();
        let gets = Arc::new(Mutex::new(BTreeMap::new()));
        let (log, count) = (Arc::clone(&gets), AtomicUsize::new(0));
        let whole = move |line: &Line<'_>| {
            let right = items.answer(line);
            if !line.is_get() {
                return Action::Bytes(right);
            }
            *log.lock().unwrap().entry(line.connection).or_default() += 1;
            let number = count.fetch_add(1, Ordering::SeqCst);
            let items = &items;
            script(
                line,
                Get {
                    number,
                    items,
                    right,
                },
            )
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let switches = Arc::<Switches>::default();
        let (script, seen): (Arc<Script>, _) = (Arc::new(whole), Arc::clone(&switches));
        std::thread::spawn(move || accept(&listener, &script, &seen));
        Self {
            address: address.to_string(),
            switches,
            gets,
            listener: address,
        }
    }

    /// The gets that came on each connection that had any.
    pub(crate) fn gets_by_connection(&self) -> Vec<u64> {
        self.gets.lock().unwrap().values().copied().collect()
    }

    /// All gets.
    pub(crate) fn gets(&self) -> u64 {
        self.gets_by_connection().iter().sum()
    }

    /// Gets that were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.switches.answered.load(Ordering::SeqCst)
    }

    /// Waits until this many gets have come.
    pub(crate) fn wait_for_gets(&self, count: u64) {
        crate::support::wait_for(|| self.gets() >= count);
    }

    /// Stops answering, as a stopped process does.
    pub(crate) fn pause(&self) {
        self.switches.pause(true);
    }

    /// Goes on answering.
    pub(crate) fn resume(&self) {
        self.switches.pause(false);
    }

    /// Closes the listener and all connections.
    pub(crate) fn kill(&self) {
        self.switches.dead.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, which then drops the listener.
        TcpStream::connect(self.listener).ok();
        for stream in self.switches.streams.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

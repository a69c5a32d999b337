//! The clients: connections that send pipelines and know each byte of the replies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

const KEYS: u64 = 20_000;
pub(crate) const DEPTH: usize = 16;
pub(crate) const CONNECTIONS: usize = 200;

/// What a pipeline consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mix {
    /// Gets, which read other shards' memory.
    Gets,
    /// 95% gets, 5% sets: gets behind a set follow it to the owner.
    Mostly,
    /// Sets, which go to the owner.
    Sets,
    /// Whatever goes to the owner and comes back with a reply.
    Hopping,
}

impl Mix {
    fn verb(self, random: u64) -> Verb {
        match self {
            Mix::Gets => Verb::Get,
            Mix::Sets => Verb::Set,
            Mix::Mostly if random.is_multiple_of(20) => Verb::Set,
            Mix::Mostly => Verb::Get,
            Mix::Hopping => [
                Verb::Get,
                Verb::Gat,
                Verb::Touch,
                Verb::Set,
                Verb::MetaSet,
                Verb::MetaTouch,
                Verb::Incr,
                Verb::Miss,
            ][(random % 8) as usize],
        }
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Gat,
    Touch,
    Set,
    MetaSet,
    MetaTouch,
    Incr,
    Miss,
}

/// A sequence that looks random and is the same in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The value of a key: always the same, 10 to 209 bytes.
fn value(number: u64) -> String {
    "v".repeat(10 + (number % 200) as usize)
}

/// Appends a request, and its reply to `replies`.
fn push(verb: Verb, number: u64, requests: &mut String, replies: &mut String) {
    let (key, value) = (format!("key-{number:08}"), value(number));
    let bytes = value.len();
    let hit = format!("VALUE {key} 0 {bytes}\r\n{value}\r\nEND\r\n");
    let (request, reply) = match verb {
        Verb::Get => (format!("get {key}\r\n"), hit),
        Verb::Gat => (format!("gat 0 {key}\r\n"), hit),
        Verb::Touch => (format!("touch {key} 0\r\n"), "TOUCHED\r\n".into()),
        Verb::Set => (
            format!("set {key} 0 0 {bytes}\r\n{value}\r\n"),
            "STORED\r\n".into(),
        ),
        Verb::MetaSet => (format!("ms {key} {bytes}\r\n{value}\r\n"), "HD\r\n".into()),
        Verb::MetaTouch => (
            format!("mg {key} v T0\r\n"),
            format!("VA {bytes}\r\n{value}\r\n"),
        ),
        Verb::Incr => (format!("incr number-{number} 0\r\n"), "7\r\n".into()),
        Verb::Miss => (format!("gets none-{number}\r\n"), "END\r\n".into()),
    };
    requests.push_str(&request);
    replies.push_str(&reply);
}

/// The client: its connections, and what it draws from.
pub(crate) struct Clients {
    streams: Vec<TcpStream>,
    random: Random,
}

impl Clients {
    pub(crate) fn new(address: SocketAddr) -> Clients {
        let connect = |_| TcpStream::connect(address).unwrap();
        let mut clients = Clients {
            streams: (0..CONNECTIONS).map(connect).collect(),
            random: Random(1),
        };
        clients.preload();
        clients
    }

    fn preload(&mut self) {
        for first in (0..KEYS).step_by(DEPTH) {
            let (mut requests, mut replies) = (String::new(), String::new());
            for number in first..first + DEPTH as u64 {
                push(Verb::Set, number, &mut requests, &mut replies);
                requests.push_str(&format!("set number-{number} 0 0 1\r\n7\r\n"));
                replies.push_str("STORED\r\n");
            }
            self.streams[0].write_all(requests.as_bytes()).unwrap();
            expect(&mut self.streams[0], &replies);
        }
    }

    /// How often shards have gone to sleep for want of traffic.
    pub(crate) fn parks(&mut self) -> usize {
        let stream = &mut self.streams[0];
        stream.write_all(b"stats shards\r\n").unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let parks = lines.take_while(|line| line != "END").filter_map(|line| {
            let (_, parks) = line.split_once("parks ")?;
            parks.parse::<usize>().ok()
        });
        let parks: Vec<usize> = parks.collect();
        assert!(!parks.is_empty(), "stats shards tells of parks");
        parks.iter().sum()
    }

    /// Sends a pipeline on each connection, and reads all replies.
    pub(crate) fn round(&mut self, mix: Mix) {
        let mut awaited = Vec::with_capacity(CONNECTIONS);
        for stream in &mut self.streams {
            let (mut requests, mut replies) = (String::new(), String::new());
            for _ in 0..DEPTH {
                let verb = mix.verb(self.random.next() >> 32);
                push(verb, self.random.next() % KEYS, &mut requests, &mut replies);
            }
            stream.write_all(requests.as_bytes()).unwrap();
            awaited.push(replies);
        }
        for (stream, replies) in self.streams.iter_mut().zip(awaited) {
            expect(stream, &replies);
        }
    }
}

fn expect(stream: &mut TcpStream, replies: &str) {
    let mut got = vec![0; replies.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), replies);
}

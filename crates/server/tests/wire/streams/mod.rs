//! Every byte of many streams: clients that read as fast as they can or late, gets of many keys on both sides of each
//! limit at which replies are sent otherwise, over every protocol and transport, with sockets that hold much or little.
//!
//! ```text
//! values.rs    values that say whose they are, at sizes around each limit
//! speech.rs    a get of many keys in each protocol, and the reply to it, to the byte
//! link.rs      TCP, TLS and the unix socket, as one
//! quick.rs     tens of clients that read at full speed
//! slow.rs      hundreds that read late
//! narrow.rs    the same where the kernel's socket buffers are small, in a network namespace of the test
//! ```
//! A reply may only differ from what is expected by being wrong: nothing is written while it is read, and nothing is
//! evicted. The choices are random: `CORECACHED_TEST_SEED` repeats them. `CORECACHED_STREAM_SECONDS` makes each test
//! run longer. `scripts/test release` runs these against a release build.

mod link;
mod narrow;
mod quick;
mod slow;
mod speech;
mod values;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use link::{Link, Wire};
use speech::{Piece, Protocol};
use values::{KINDS, Values};

/// How long the clients of one test go on.
fn duration() -> Duration {
    let seconds = std::env::var("CORECACHED_STREAM_SECONDS");
    let seconds = seconds.map_or(2, |text| text.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// The seed of a test: printed when it fails, settable by `CORECACHED_TEST_SEED`.
fn seed() -> u64 {
    let seed = std::env::var("CORECACHED_TEST_SEED")
        .map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    println!("CORECACHED_TEST_SEED={seed}");
    seed
}

/// One client, and what it has verified.
struct Reader<'v> {
    wire: Box<dyn Wire>,
    protocol: Protocol,
    values: &'v Values,
    random: SmallRng,
    buffer: Vec<u8>,
    verified_bytes: u64,
}

impl<'v> Reader<'v> {
    fn new(wire: Box<dyn Wire>, protocol: Protocol, values: &'v Values, seed: u64) -> Self {
        Reader {
            wire,
            protocol,
            values,
            random: SmallRng::seed_from_u64(seed),
            buffer: vec![0; 64 * 1024],
            verified_bytes: 0,
        }
    }

    /// The keys of one request: mostly of one kind, and then as many as are on either side of a limit.
    fn keys(&mut self, bytes_max: usize) -> Vec<usize> {
        let random = &mut self.random;
        let kind = &KINDS[random.random_range(0..KINDS.len())];
        let most = (bytes_max / kind.bytes).max(1);
        let count = match random.random_range(0..4) {
            0 => 1,
            1 => kind.counts[random.random_range(0..kind.counts.len())],
            2 => random.random_range(1..=8),
            _ => random.random_range(1..=400),
        };
        let is_mixed = random.random_range(0..4) == 0;
        let (mut keys, mut left) = (Vec::new(), bytes_max);
        for _ in 0..count.min(most) {
            let key = match is_mixed {
                true => random.random_range(0..self.values.len()),
                false => self.values.of_kind(kind, random),
            };
            let bytes = self.values.bytes(key).len();
            if bytes > left && !keys.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            keys.push(key);
        }
        keys
    }

    /// Asks for the keys of several requests at once.
    fn ask(&mut self, requests: &[Vec<usize>]) {
        let mut bytes = Vec::new();
        for keys in requests {
            self.protocol.request(keys, &mut bytes);
        }
        self.wire.write_all(&bytes).expect("the server reads");
        self.wire.flush().expect("the server reads");
    }

    /// Reads the replies and compares every byte.
    fn verify(&mut self, requests: &[Vec<usize>]) {
        for (request, keys) in requests.iter().enumerate() {
            let mut offset = 0;
            for piece in self.protocol.reply(keys, self.values) {
                let wanted = match &piece {
                    Piece::Bytes(bytes) => bytes.as_slice(),
                    Piece::Value(key) => self.values.bytes(*key),
                };
                offset += self.compare(wanted, request, offset);
            }
        }
    }

    fn compare(&mut self, wanted: &[u8], request: usize, offset: usize) -> usize {
        let step = self.buffer.len();
        for (index, wanted) in wanted.chunks(step).enumerate() {
            let got = &mut self.buffer[..wanted.len()];
            self.wire.read_exact(got).expect("a whole reply");
            if let Some(at) = (0..got.len()).find(|&at| got[at] != wanted[at]) {
                let shown = |bytes: &[u8]| {
                    String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 60)]).into_owned()
                };
                panic!(
                    "{:?}: reply {request} is wrong at byte {}: {:?} and not {:?}",
                    self.protocol,
                    offset + index * step + at,
                    shown(got),
                    shown(wanted),
                );
            }
        }
        self.verified_bytes += wanted.len() as u64;
        wanted.len()
    }
}

/// Stores all values.
fn fill(link: &Link, values: &Values) {
    let mut wire = link.connect();
    for key in 0..values.len() {
        let data = values.bytes(key);
        let head = format!("set {} 0 0 {} noreply\r\n", values::name(key), data.len());
        for bytes in [head.as_bytes(), data, b"\r\n"] {
            wire.write_all(bytes).unwrap();
        }
    }
    wire.write_all(b"mn\r\n").unwrap();
    wire.flush().unwrap();
    let mut answer = [0; 4];
    wire.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"MN\r\n");
}

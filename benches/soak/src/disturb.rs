//! Clients that make it hard: they read slowly, or in a hurry, or break off in the middle of a value.

use std::io::{self, Read, Write};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::client::{Client, Lines, Protocol, Socket, open, reset};
use crate::setup::{Address, Setup};
use crate::tally::Tally;
use crate::value;

/// What a slow reader's socket holds.
const SLOW_RECEIVE_BYTES: usize = 4096;
/// Keys of one multi-get.
const KEYS_MAX: usize = 40;
/// Multi-gets in flight.
const DEPTH_MAX: usize = 4;
/// Values up to that wait in the connection for their end, and need no memory before.
const SURE_BYTES: usize = 4096;
/// Values shorter than that may be too short to say what they are.
const TELLING_BYTES: usize = 64;

/// A socket that gives a little at a time.
struct Slowly {
    socket: Socket,
    rng: StdRng,
}

impl Slowly {
    fn read_some(&mut self) {
        if self.rng.random_range(0..4) == 0 {
            std::thread::sleep(Duration::from_millis(self.rng.random_range(1..30)));
        }
    }
}

/// How a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// As fast as it can.
    Quick,
    /// It takes its time, and sometimes goes without a word.
    Slow,
}

/// Reads multi-gets of shared keys and checks every value.
pub(crate) fn read(reader: Reader, number: usize, setup: &Setup, address: &Address, tally: &Tally) {
    let seed = setup.seed ^ (0xabcd_0000 + number as u64) ^ ((reader as u64) << 40);
    let mut rng = StdRng::seed_from_u64(seed);
    while !tally.is_over() {
        if let Err(error) = read_for_a_while(&mut rng, reader, address, tally) {
            tally.fail(format!("{reader:?} reader: {error}; {setup:?}"));
        }
    }
}

fn read_for_a_while(
    rng: &mut StdRng,
    reader: Reader,
    address: &Address,
    tally: &Tally,
) -> io::Result<()> {
    let slow = reader == Reader::Slow;
    let socket = open(address, slow.then_some(SLOW_RECEIVE_BYTES))?;
    let mut pause = Slowly {
        socket: socket.try_clone()?,
        rng: StdRng::seed_from_u64(rng.random()),
    };
    let mut client = Client::new(socket, Protocol::Text);
    for _ in 0..rng.random_range(1..20) {
        if tally.is_over() {
            return Ok(());
        }
        let depth = rng.random_range(1..=DEPTH_MAX);
        let requests: Vec<Vec<String>> = (0..depth).map(|_| some_keys(rng)).collect();
        for keys in &requests {
            client.ask_many(keys)?;
        }
        client.send()?;
        if slow && rng.random_range(0..10) == 0 {
            let mut some = [0; 5000];
            let _ = pause.socket.read(&mut some)?;
            reset(client.into_socket());
            return Ok(());
        }
        for keys in &requests {
            if slow {
                pause.read_some();
            }
            check(&mut client, keys, tally)?;
        }
    }
    Ok(())
}

fn some_keys(rng: &mut StdRng) -> Vec<String> {
    let count = rng.random_range(1..=KEYS_MAX);
    (0..count)
        .map(|_| Setup::shared_key(rng.random_range(0..Setup::SHARED_KEYS)))
        .collect()
}

/// Each value is whole and belongs to its key, and the keys come in the order of the request.
fn check(client: &mut Client, keys: &[String], tally: &Tally) -> io::Result<()> {
    let hits = client.hits()?;
    let mut order = keys.iter();
    for (key, hit) in &hits {
        if !order.any(|asked| asked == key) {
            return Err(io::Error::other(format!(
                "{key} was not asked for, or not then"
            )));
        }
        if hit.value.len() >= TELLING_BYTES && !value::is_of(key, &hit.value) {
            return Err(io::Error::other(format!("wrong bytes: {key} has {hit:?}")));
        }
        tally.checked(1, hit.value.len());
    }
    Ok(())
}

/// Announces a value, sends a part of it, and resets the connection: the value before has to be still there.
pub(crate) fn break_off(number: usize, setup: &Setup, address: &Address, tally: &Tally) {
    let mut rng = StdRng::seed_from_u64(setup.seed ^ (0x5555_0000 + number as u64));
    while !tally.is_over() {
        if let Err(error) = upload_half(number, &mut rng, setup, address) {
            tally.fail(format!("broken upload: {error}; {setup:?}"));
        }
    }
}

fn upload_half(
    number: usize,
    rng: &mut StdRng,
    setup: &Setup,
    address: &Address,
) -> io::Result<()> {
    // Never the same key again: what is left of an earlier upload may be read and refused after the next has begun.
    let key = format!("broken{number}_{:x}", rng.random::<u64>());
    let mut other = Lines::open(address)?;
    let small = format!("small{}", rng.random::<u32>());
    let stored = other.line(&format!("set {key} 0 0 {}\r\n{small}", small.len()))?;
    let mut socket = open(address, None)?;
    let bytes = value::length(rng, setup.value_bytes_max()).max(100);
    let part = rng.random_range(0..bytes);
    socket.write_all(format!("set {key} 0 0 {bytes}\r\n").as_bytes())?;
    let sent = socket.write_all(&vec![b'x'; part]);
    std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
    match rng.random_range(0..2) {
        0 => reset(socket),
        _ => drop(socket),
    }
    sent?;
    let found = other.line(&format!("get {key}"))?;
    // A value that finds no memory is refused before it is whole, and takes the one before with it.
    let may_be_refused = stored != "STORED" || bytes > SURE_BYTES;
    let is_right = match found.as_str() {
        "END" => may_be_refused || !setup.keeps_all || setup.flushes,
        line => line == format!("VALUE {key} 0 {}", small.len()),
    };
    match is_right {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{stored:?}, half of {bytes} bytes, then {found:?}"
        ))),
    }
}

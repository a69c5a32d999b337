//! A client with keys of its own: it alone changes them, so it knows what they hold.

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use corecached_client::wire::text::ReplyMode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::answer::Answer;
use crate::client::{Client, Protocol};
use crate::setup::{Address, Setup};
use crate::state::{Key, Moment, Verdict};
use crate::tally::Tally;
use crate::value;
use crate::verb::{Mode, Verb};

const KEYS: usize = 40;
const NUMBERS: usize = 8;
/// Requests sent together.
const BATCH_MAX: usize = 32;
/// Request bytes sent together: a batch and its replies have to fit in memory, not in the socket.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// What a connection may speak.
const PROTOCOLS: [Protocol; 3] = [Protocol::Text, Protocol::Meta, Protocol::Binary];

/// A request of a batch.
struct Asked {
    key: usize,
    verb: Verb,
    noreply: bool,
}

/// An owner and what it knows.
pub(crate) struct Owner<'a> {
    setup: &'a Setup,
    tally: &'a Tally,
    rng: StdRng,
    names: Vec<String>,
    keys: Vec<Key>,
    version: u64,
    shared_bytes_max: usize,
}

impl<'a> Owner<'a> {
    pub(crate) fn new(number: usize, setup: &'a Setup, tally: &'a Tally) -> Self {
        let own = (0..KEYS).map(|key| format!("own{number}-{key}"));
        let numbers = (0..NUMBERS).map(|key| format!("number{number}-{key}"));
        let names: Vec<String> = own.chain(numbers).collect();
        Owner {
            setup,
            tally,
            rng: StdRng::seed_from_u64(setup.seed.wrapping_mul(1009).wrapping_add(number as u64)),
            keys: names.iter().map(|_| Key::absent()).collect(),
            names,
            version: number as u64 * 1_000_000_000,
            shared_bytes_max: setup.value_bytes_max(),
        }
    }

    /// Goes on until the round is over. Connects anew now and then, in another protocol.
    pub(crate) fn run(&mut self, address: &Address) {
        while !self.tally.is_over() {
            let protocol = PROTOCOLS[self.rng.random_range(0..PROTOCOLS.len())];
            let life = self.rng.random_range(1..400);
            let done = Client::open(address, protocol).and_then(|mut client| {
                for _ in 0..life {
                    if self.tally.is_over() {
                        break;
                    }
                    self.batch(&mut client)?;
                }
                Ok(())
            });
            if let Err(error) = done {
                self.tally
                    .fail(format!("{protocol:?} client: {error}; {:?}", self.setup));
            }
        }
    }

    /// Sends some requests together and judges their answers.
    fn batch(&mut self, client: &mut Client) -> io::Result<()> {
        let depth = self.rng.random_range(1..=BATCH_MAX);
        let (mut batch, mut bytes) = (Vec::new(), Vec::new());
        while batch.len() < depth && bytes.len() < BATCH_BYTES_MAX {
            let asked = self.choose(client.protocol());
            client.ask(
                &self.names[asked.key],
                &asked.verb,
                ReplyMode::noreply_if(asked.noreply),
            )?;
            bytes.extend(client.take_requests()?);
            batch.push(asked);
        }
        // An answer at the end says that those before it without answers are through.
        let key = self.rng.random_range(0..KEYS);
        client.ask(&self.names[key], &Verb::Get, ReplyMode::Reply)?;
        bytes.extend(client.take_requests()?);
        batch.push(Asked {
            key,
            verb: Verb::Get,
            noreply: false,
        });
        let begun = Moment::begin(&self.tally.flushes);
        let answers = self.exchange(client, &bytes, &batch)?;
        let at = begun.end(&self.tally.flushes);
        for (asked, answer) in batch.iter().zip(&answers) {
            self.judge(asked, answer, &at);
        }
        self.write_shared(client)
    }

    /// Sends from a thread of its own: a server that waits for its replies to be read does not read.
    fn exchange(
        &self,
        client: &mut Client,
        bytes: &[u8],
        batch: &[Asked],
    ) -> io::Result<Vec<Answer>> {
        let mut sender = client.socket().try_clone()?;
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || sender.write_all(bytes));
            let answers: io::Result<Vec<Answer>> = batch
                .iter()
                .map(|asked| match asked.noreply {
                    true => Ok(Answer::Unseen),
                    false => client.answer(&asked.verb, &self.names[asked.key]),
                })
                .collect();
            match sending.join() {
                Ok(sent) => sent.and(answers),
                Err(_) => Err(io::Error::other("the sending thread ended")),
            }
        })
    }

    fn judge(&mut self, asked: &Asked, answer: &Answer, at: &Moment) {
        let tally = self.tally;
        tally.requests.fetch_add(1, Ordering::Relaxed);
        if let Answer::Hit(hit) = answer {
            tally.checked(1, hit.value.len());
        }
        let key = &mut self.keys[asked.key];
        let before = key.describe();
        let wrong = match key.judge(&asked.verb, answer, at) {
            Verdict::Right => return,
            Verdict::Vanished => {
                tally.vanished.fetch_add(1, Ordering::Relaxed);
                if !self.setup.keeps_all {
                    return;
                }
                "an item vanished although nothing is evicted"
            }
            Verdict::Wrong => "a wrong answer",
        };
        tally.fail(format!(
            "{wrong}: {:?} of {} gave {answer:?}; it held {before}; {:?}",
            shortened(&asked.verb),
            self.names[asked.key],
            self.setup
        ));
    }

    /// Stores a whole value under a key that all read.
    fn write_shared(&mut self, client: &mut Client) -> io::Result<()> {
        let key = Setup::shared_key(self.rng.random_range(0..Setup::SHARED_KEYS));
        self.version += 1;
        let bytes = value::length(&mut self.rng, self.shared_bytes_max);
        let value = value::make(&key, self.version, bytes);
        let verb = Verb::Store {
            mode: Mode::Set,
            value,
            client_flags: 7,
            exptime: 0,
        };
        client.ask(&key, &verb, ReplyMode::Reply)?;
        client.send()?;
        match client.answer(&verb, &key)? {
            Answer::Done | Answer::NoMemory | Answer::TooLarge => {}
            other => self
                .tally
                .fail(format!("a set gave {other:?}; {:?}", self.setup)),
        }
        Ok(())
    }

    fn choose(&mut self, protocol: Protocol) -> Asked {
        let rng = &mut self.rng;
        if rng.random_range(0..6) == 0 {
            return self.choose_number();
        }
        let key = rng.random_range(0..KEYS);
        let verb = match rng.random_range(0..20) {
            0..8 => Verb::Get,
            8 => Verb::GetAndTouch {
                exptime: exptime(rng),
            },
            9 => Verb::Touch {
                exptime: exptime(rng),
            },
            10 => Verb::Delete,
            11..13 => {
                let before = rng.random_range(0..2) == 0;
                Verb::Join {
                    before,
                    value: self.value(key),
                }
            }
            13 => self.cas(key),
            14 => Verb::Count { up: true, delta: 1 },
            _ => self.store(key),
        };
        let is_store = matches!(
            verb,
            Verb::Store {
                mode: Mode::Set,
                ..
            }
        );
        let noreply = is_store && protocol == Protocol::Text && self.rng.random_range(0..8) == 0;
        Asked { key, verb, noreply }
    }

    fn choose_number(&mut self) -> Asked {
        let rng = &mut self.rng;
        let key = KEYS + rng.random_range(0..NUMBERS);
        let verb = match rng.random_range(0..10) {
            0..5 => Verb::Count {
                up: true,
                delta: rng.random_range(0..1_000_000),
            },
            5..7 => Verb::Count {
                up: false,
                delta: rng.random_range(0..1_000_000),
            },
            7..9 => Verb::Get,
            _ => {
                let value = rng.random::<u32>().to_string().into_bytes();
                Verb::Store {
                    mode: Mode::Set,
                    value,
                    client_flags: 0,
                    exptime: 0,
                }
            }
        };
        Asked {
            key,
            verb,
            noreply: false,
        }
    }

    fn value(&mut self, key: usize) -> Vec<u8> {
        self.version += 1;
        let bytes = value::length(&mut self.rng, self.setup.value_bytes_max());
        value::make(&self.names[key], self.version, bytes)
    }

    fn store(&mut self, key: usize) -> Verb {
        let value = self.value(key);
        let rng = &mut self.rng;
        let mode =
            [Mode::Set, Mode::Set, Mode::Set, Mode::Add, Mode::Replace][rng.random_range(0..5)];
        let client_flags = [0, 0, 1, u32::MAX][rng.random_range(0..4)];
        Verb::Store {
            mode,
            value,
            client_flags,
            exptime: exptime(rng),
        }
    }

    fn cas(&mut self, key: usize) -> Verb {
        let known = self.keys[key].cas();
        let cas = known
            .filter(|_| self.rng.random_range(0..4) > 0)
            .unwrap_or(1);
        Verb::Cas {
            cas,
            value: self.value(key),
            client_flags: 3,
        }
    }
}

/// Mostly for ever.
fn exptime(rng: &mut StdRng) -> i32 {
    [0, 0, 0, 0, 0, 0, 3, 1000][rng.random_range(0..8)]
}

/// The verb without its value.
fn shortened(verb: &Verb) -> String {
    let text = format!("{verb:?}");
    let head: String = text.chars().take(60).collect();
    format!("{head}... with {} bytes", verb.value_bytes())
}

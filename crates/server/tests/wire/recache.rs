//! Recaching by meta commands: of all the clients that find an item invalidated, missing or about to expire, exactly
//! one is told to fetch it anew, however many connections and shards they come by.

use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};
use std::thread;

use crate::client::Client;
use crate::replies::MetaValue;
use crate::server::Server;

const CLIENTS: usize = 12;
const KEYS: usize = 30;
const ROUNDS: usize = 15;

/// What one `mg` came to: the value and the flags behind its length, in order.
type Answer = (String, String);

/// Asks for every key in one pipeline, each client in another order.
fn ask_all(client: &mut Client, number: usize, flags: &str) -> BTreeMap<usize, Answer> {
    let order: Vec<usize> = (0..KEYS).map(|key| (key * 7 + number * 5) % KEYS).collect();
    let requests: String = order
        .iter()
        .map(|key| format!("mg k{key} {flags}\r\n"))
        .collect();
    client.send(requests);
    let answers = order.into_iter().map(|key| {
        let MetaValue { data, flags } = client.meta_value();
        (key, (String::from_utf8(data).unwrap(), flags))
    });
    answers.collect()
}

/// Plays `ROUNDS` rounds: `prepare` for each key by one client, then `mg <key> <flags>` by all of them at once. Of the
/// answers to one key one must be `won`, and all others `lost`.
fn race(shards: usize, flags: &str, prepare: &[&str], won: (&str, &str), lost: (&str, &str)) {
    let server = Server::start(shards, &[]);
    let mut first = server.connect();
    for key in 0..KEYS {
        assert_eq!(first.set(&format!("k{key}"), "v"), "STORED");
    }
    let start = Barrier::new(CLIENTS + 1);
    let end = Barrier::new(CLIENTS + 1);
    let gathered = Mutex::new(BTreeMap::<usize, Vec<Answer>>::new());
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, start, end, gathered) = (&server, &start, &end, &gathered);
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..ROUNDS {
                    start.wait();
                    let answers = ask_all(&mut client, number, flags);
                    let mut gathered = gathered.lock().unwrap();
                    for (key, answer) in answers {
                        gathered.entry(key).or_default().push(answer);
                    }
                    drop(gathered);
                    end.wait();
                }
            });
        }
        for _ in 0..ROUNDS {
            for key in 0..KEYS {
                for line in prepare {
                    first.send(line.replace("KEY", &format!("k{key}")));
                    let answer = first.line();
                    assert!(answer == "HD", "{line}: {answer}");
                }
            }
            start.wait();
            end.wait();
            // Nobody is left waiting for a panic: what is wrong is found after the last round.
        }
    });
    for (key, answers) in gathered.into_inner().unwrap() {
        assert_eq!(answers.len(), CLIENTS * ROUNDS);
        let count = |(value, flags): (&str, &str)| {
            let same = |answer: &&Answer| answer.0 == value && answer.1 == flags;
            answers.iter().filter(same).count()
        };
        assert_eq!(
            (count(won), count(lost)),
            (ROUNDS, (CLIENTS - 1) * ROUNDS),
            "k{key} won and lost among {answers:?}"
        );
    }
}

/// The item is not stored again between the rounds: each invalidation lets one more client win.
#[test]
fn one_client_wins_for_each_invalidation() {
    for shards in [1, 4] {
        race(
            shards,
            "v",
            &["md KEY I T60\r\n"],
            ("v", "X W"),
            ("v", "Z X"),
        );
    }
}

#[test]
fn one_client_wins_a_missing_key() {
    for shards in [1, 4] {
        race(shards, "v N60", &["md KEY\r\n"], ("", "W"), ("", "Z"));
    }
}

#[test]
fn one_client_wins_a_key_that_will_soon_expire() {
    for shards in [1, 4] {
        let store = "ms KEY 1 T60\r\nv\r\n";
        race(shards, "v R600", &[store], ("v", "W"), ("v", "Z"));
    }
}

/// While the winner's value is on its way others see the old one, and afterwards nobody is told anything.
#[test]
fn the_winner_puts_an_end_to_it() {
    for shards in [1, 4] {
        let server = Server::start(shards, &[]);
        let (mut one, mut other) = (server.connect(), server.connect());
        for key in 0..KEYS {
            one.set(&format!("k{key}"), "old");
            assert_eq!(one.ask(&format!("md k{key} I T60")), "HD");
        }
        for (number, client) in [&mut one, &mut other].into_iter().enumerate() {
            for (value, flags) in ask_all(client, number, "v").into_values() {
                let expected = ["X W", "Z X"][number];
                assert_eq!((value.as_str(), flags.as_str()), ("old", expected));
            }
        }
        for key in 0..KEYS {
            one.send(format!("ms k{key} 3\r\nnew\r\n"));
            assert_eq!(one.line(), "HD");
        }
        for (value, flags) in ask_all(&mut other, 1, "v").into_values() {
            assert_eq!((value.as_str(), flags.as_str()), ("new", ""));
        }
    }
}

//! What depends on turns, and that nothing depends on the pieces in which a stream arrives.

use std::fs;
use std::path::Path;

use corecached_fuzz::{Choices, connections};

use super::*;

/// Result of a turn of a connection.
#[derive(Debug)]
struct Turn {
    keys: u64,
    replies: Vec<u8>,
}

impl Server {
    fn keys(&mut self) -> u64 {
        let stats = self.owner.resume().engine.stats();
        stats.get_hits + stats.get_misses
    }

    /// All turns of a connection that receives `bytes` at once.
    fn turns(&mut self, bytes: &[u8]) -> Vec<Turn> {
        let socket = File::open("/dev/null").unwrap();
        let now = self.shared.globals.clock.now();
        let link = Link::Socket(Stream::unattached(socket.into()));
        let new = |id| Conn::new(link, id, LISTENER, AuthState::Done, None, now);
        let id = self.conns.insert(new);
        let mut turns = Vec::new();
        let mut is_first = true;
        while is_first || self.conn(id).can_resume() {
            let before = self.keys();
            self.with_conn(id, |conn, cx| {
                cx.has_long_turn = !is_first;
                match is_first {
                    true => conn.receive_plain(bytes, cx),
                    false => conn.resume(cx),
                }
            });
            is_first = false;
            let mut replies = Vec::new();
            self.take_replies(id, &mut replies);
            let keys = self.keys() - before;
            turns.push(Turn { keys, replies });
        }
        self.close(id);
        turns
    }
}

/// A server that has executed `commands`.
fn told(commands: &[u8]) -> Server {
    let mut server = Server::start(Transport::Tcp);
    server.turns(commands);
    server
}

fn all_replies(turns: &[Turn]) -> Vec<u8> {
    let replies = turns.iter().map(|turn| &turn.replies[..]);
    replies.collect::<Vec<_>>().concat()
}

#[test]
fn gets_of_many_keys_have_their_share_of_a_turn() {
    let long = [b"get".as_slice(), &b" a".repeat(1 << 20), b"\r\n"].concat();
    let many = [b"get".as_slice(), &b" a".repeat(300), b"\r\n"].concat();
    for (requests, keys, answers) in [
        (long.clone(), 1 << 20, 1),
        (many.repeat(100), 30_000, 100),
        ([&many[..], &long, &many].concat(), (1 << 20) + 600, 3),
    ] {
        let turns = told(b"").turns(&requests);
        let most = turns.iter().map(|turn| turn.keys).max();
        assert!(most <= Some(KEYS_PER_TURN as u64 + 16), "{most:?} keys");
        assert_eq!(turns.iter().map(|turn| turn.keys).sum::<u64>(), keys);
        assert_eq!(all_replies(&turns), b"END\r\n".repeat(answers));
    }
}

#[test]
fn a_get_of_spaces_or_of_one_endless_key_is_looked_at_in_portions() {
    for line in [
        [b"get a".as_slice(), &b" ".repeat(1 << 20), b"b\r\n"].concat(),
        [
            b"get a ".as_slice(),
            &b" k".repeat(1 << 19),
            &b"b".repeat(251),
            b"\r\n",
        ]
        .concat(),
    ] {
        let turns = told(b"").turns(&line).len();
        // A turn takes 16 KiB of keys.
        assert!((60..200).contains(&turns), "{turns} turns");
    }
}

#[test]
fn a_long_command_is_the_only_one_of_its_turn() {
    for (request, end) in [
        ("stats\r\n", "END\r\n"),
        ("stats slabs\r\n", "END\r\n"),
        ("stats items\r\n", "END\r\n"),
        ("verbosity 0\r\n", "OK\r\n"),
        ("slabs reassign 1 2\r\n", "\r\n"),
    ] {
        let mut server = told(b"set a 0 0 1\r\nx\r\n");
        let turns = server.turns(request.repeat(30).as_bytes());
        assert!(turns[0].replies.is_empty(), "{request:?}: others go first");
        for turn in &turns[1..] {
            let replies = String::from_utf8_lossy(&turn.replies);
            assert_eq!(replies.matches(end).count(), 1, "{request:?}");
            if end == "END\r\n" {
                break;
            }
        }
        assert_eq!(turns.len(), 31, "{request:?}");
    }
}

#[test]
fn a_dump_of_prefixes_tells_some_in_a_turn() {
    const PREFIXES: usize = 2000;
    let mut commands = b"stats detail on\r\n".to_vec();
    for number in 0..PREFIXES {
        commands.extend(format!("get p{number}:k\r\n").bytes());
    }
    for (request, is_binary) in [
        (&b"stats detail dump\r\n"[..], false),
        (
            b"\x80\x10\0\x0b\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\0\0\0\0\0detail dump",
            true,
        ),
    ] {
        let turns = told(&commands).turns(request);
        let lines = |turn: &Turn| {
            let replies = turn.replies.windows(7);
            replies.filter(|part| part == b"PREFIX ").count()
        };
        let all = all_replies(&turns);
        assert_eq!(turns.iter().map(lines).sum::<usize>(), PREFIXES);
        assert!(turns.len() >= PREFIXES / 256, "{} turns", turns.len());
        match is_binary {
            false => {
                assert!(turns.iter().all(|turn| lines(turn) <= 256));
                assert!(all.ends_with(b"END\r\n"));
            }
            true => {
                // The first is header and key, then comes the value, and then the empty packet that ends
                // statistics.
                let body = u32::from_be_bytes(all[8..12].try_into().unwrap()) as usize;
                assert_eq!(&all[24..32], b"detailed");
                assert_eq!(all.len(), 24 + body + 24);
            }
        }
    }
}

/// Number of inputs of each kind; `FUZZ_RUNS` asks for more.
fn runs() -> u64 {
    std::env::var("FUZZ_RUNS").map_or(1500, |runs| runs.parse().unwrap())
}

fn random(seed: u64) -> Vec<u8> {
    let mut choices = Choices::seeded(seed);
    let length = 4 + choices.below(400);
    choices.bytes(length)
}

/// The requests that the tests of the parsers begin with.
fn seeds() -> Vec<Vec<u8>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let files = ["text", "meta", "binary"].map(|name| fs::read_dir(seeds.join(name)).unwrap());
    let files = files.into_iter().flatten();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_stream_is_answered_alike_however_it_arrives() {
    for seed in 0..runs() {
        connections::stream(&random(seed), stream);
    }
    for commands in seeds() {
        // The input arrives byte by byte, and in some pieces.
        for how in [[0x80, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2]] {
            connections::stream(&[&how, commands.as_slice()].concat(), stream);
        }
    }
}

#[test]
fn datagrams_are_answered_in_whole_messages() {
    for seed in 0..runs() {
        connections::datagrams(&random(seed), stream, datagrams);
    }
}

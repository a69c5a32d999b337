//! Plays a transcript against a server, in one of three ways.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::parse::{Action, Step, Transcript};
use super::text::{COUNTDOWN, Piece, Text, show, show_text};
use crate::auth::Passwords;
use crate::client::Client;
use crate::server::Server;

/// How input is cut into writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Everything up to the next reply in one write.
    Whole,
    /// Each byte in a write of its own; long input in up to [`WRITES_MAX`] pieces.
    Bytes,
    /// Everything up to the next barrier (a pause, another connection, a use of a captured
    /// number) in one write, and only then the replies.
    Pipelined,
}

/// Writes that one input is cut into at most.
const WRITES_MAX: usize = 1500;

/// Pause between the pieces, so that most reach the server one by one.
const PIECE_PAUSE: Duration = Duration::from_micros(20);

/// A NOOP packet, and its reply.
const NOOP: &[u8] = b"\x80\x0a\0\0\0\0\0\0\0\0\0\0mark\0\0\0\0\0\0\0\0";
const NOOP_REPLY: &[u8] = b"\x81\x0a\0\0\0\0\0\0\0\0\0\0mark\0\0\0\0\0\0\0\0";

/// A server ends within this time.
const EXIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Plays `transcript` on a server of its own.
pub(crate) fn play(transcript: &Transcript, shards: usize, way: Way) {
    let file = format!("{}-{shards}-{way:?}", transcript.name);
    let passwords = Passwords::new(&file, &transcript.passwords.join("\n"));
    let options: Vec<&str> = transcript
        .server_options
        .iter()
        .map(|option| match option.as_str() {
            "{passwords}" => passwords.path(),
            option => option,
        })
        .collect();
    let environment = [("MEMCACHED_SASL_PWDB", passwords.path())];
    let mut player = Player {
        name: transcript.name,
        way,
        server: Server::start_with(shards, &options, &environment),
        connections: HashMap::new(),
        binary: HashSet::new(),
        current: "main".to_owned(),
        captured: HashMap::new(),
        input: Vec::new(),
        replies: Vec::new(),
    };
    if player.server.is_old_memcached && transcript.ways_not_old.contains(&way) {
        return;
    }
    for step in &transcript.steps {
        player.step(step);
    }
    player.finish();
}

struct Player<'a> {
    name: &'static str,
    way: Way,
    server: Server,
    connections: HashMap<String, Client>,
    /// Those whose first byte is that of a packet.
    binary: HashSet<String>,
    current: String,
    captured: HashMap<String, Vec<u8>>,
    /// Input not sent yet, and the replies to it.
    input: Vec<u8>,
    replies: Vec<(usize, &'a Text)>,
}

impl<'a> Player<'a> {
    fn step(&mut self, step: &'a Step) {
        match &step.action {
            Action::Send(text) => self.add_input(step.line, text),
            Action::Expect { reply, from } => {
                if from.includes(self.server.is_old_memcached) {
                    self.replies.push((step.line, reply));
                }
            }
            barrier => {
                self.exchange();
                self.barrier(step.line, barrier);
            }
        }
    }

    fn add_input(&mut self, line: usize, text: &Text) {
        let uses_capture = text
            .iter()
            .any(|piece| matches!(piece, Piece::Named(_) | Piece::Bytes(..)));
        if uses_capture || (self.way != Way::Pipelined && !self.replies.is_empty()) {
            self.exchange();
        }
        let begins = self.input.is_empty() && !self.connections.contains_key(&self.current);
        if begins && matches!(text.first(), Some(Piece::Literal(bytes)) if bytes[0] == NOOP[0]) {
            self.binary.insert(self.current.clone());
        }
        for piece in text {
            match piece {
                Piece::Literal(bytes) => self.input.extend_from_slice(bytes),
                Piece::Named(name) => match self.captured.get(name) {
                    Some(bytes) => self.input.extend_from_slice(bytes),
                    None => self.fail(line, &format!("{{{name}}} is not known yet")),
                },
                Piece::Now(seconds) => {
                    let date = unix_time() + seconds;
                    self.input.extend_from_slice(date.to_string().as_bytes());
                }
                Piece::Bytes(Some(name), _) => match self.captured.get(name) {
                    Some(bytes) => self.input.extend_from_slice(bytes),
                    None => self.fail(line, &format!("cas {name} is not known yet")),
                },
                Piece::Number
                | Piece::Any
                | Piece::Left(_)
                | Piece::AtLeast(_)
                | Piece::Bytes(None, _) => {
                    self.fail(line, "a pattern cannot be sent");
                }
            }
        }
    }

    fn barrier(&mut self, line: usize, action: &Action) {
        match action {
            Action::Sleep(time) => thread::sleep(*time),
            Action::Connect(name) => self.current.clone_from(name),
            Action::Closed => self.expect_closed(line),
            Action::Exit(status) => self.expect_exit(line, *status),
            Action::Differ(one, two) => {
                let values = (self.captured.get(one), self.captured.get(two));
                if values.0 == values.1 || values.0.is_none() || values.1.is_none() {
                    self.fail(line, &format!("{one} and {two} are {values:?}"));
                }
            }
            Action::Send(_) | Action::Expect { .. } => unreachable!("not barriers"),
        }
    }

    /// Sends the gathered input and checks the replies to it.
    fn exchange(&mut self) {
        if self.input.is_empty() && self.replies.is_empty() {
            return;
        }
        let input = std::mem::take(&mut self.input);
        let replies = std::mem::take(&mut self.replies);
        let writer = self.connection().writer();
        let way = self.way;
        thread::scope(|scope| {
            scope.spawn(move || write_all(writer, &input, way));
            for (line, reply) in replies {
                self.expect(line, reply);
            }
        });
    }

    fn connection(&mut self) -> &mut Client {
        self.connections
            .entry(self.current.clone())
            .or_insert_with(|| self.server.connect())
    }

    fn expect(&mut self, line: usize, reply: &Text) {
        let mut got = Vec::new();
        for piece in reply {
            let right = match piece {
                Piece::Literal(bytes) => self.take_literal(bytes, &mut got),
                Piece::Any => self.take_while(|byte| byte != b'\r', &mut got).is_some(),
                Piece::Bytes(name, length) => self.take_bytes(name.as_deref(), *length, &mut got),
                Piece::Number | Piece::Now(_) => self.take_number(&mut got).is_some(),
                Piece::Left(most) => self.take_in(most.saturating_sub(COUNTDOWN)..=*most, &mut got),
                Piece::AtLeast(least) => self.take_in(*least..=u64::MAX, &mut got),
                Piece::Named(name) => match self.take_number(&mut got) {
                    None => false,
                    Some(number) => {
                        *self.captured.entry(name.clone()).or_insert(number.clone()) == number
                    }
                },
            };
            if !right {
                let rest = self.rest_of_line();
                let got = show(&[got, rest].concat());
                self.fail(
                    line,
                    &format!("wanted {}\n     got {got}", show_text(reply)),
                );
            }
        }
    }

    /// Takes `wanted`, or as much of it as comes and one wrong byte.
    fn take_literal(&mut self, wanted: &[u8], got: &mut Vec<u8>) -> bool {
        let taken = self.connection().take_matching(wanted);
        got.extend_from_slice(&wanted[..taken]);
        if taken < wanted.len() {
            got.extend(self.connection().byte().ok().flatten());
        }
        taken == wanted.len()
    }

    /// Takes so many bytes; under a name that is known they must be the same again.
    fn take_bytes(&mut self, name: Option<&str>, length: usize, got: &mut Vec<u8>) -> bool {
        let mut taken = Vec::new();
        while taken.len() < length
            && let Ok(Some(byte)) = self.connection().byte()
        {
            taken.push(byte);
        }
        got.extend_from_slice(&taken);
        let whole = taken.len() == length;
        match name {
            Some(name) => {
                let known = self.captured.entry(name.to_owned());
                whole && *known.or_insert_with(|| taken.clone()) == taken
            }
            None => whole,
        }
    }

    fn take_in(&mut self, range: RangeInclusive<u64>, got: &mut Vec<u8>) -> bool {
        let number = self.take_number(got);
        let number = number.and_then(|digits| String::from_utf8(digits).ok()?.parse().ok());
        number.is_some_and(|number| range.contains(&number))
    }

    fn take_number(&mut self, got: &mut Vec<u8>) -> Option<Vec<u8>> {
        let digits = self.take_while(|byte| byte.is_ascii_digit(), got)?;
        (!digits.is_empty()).then_some(digits)
    }

    /// Takes bytes up to the first that does not fit, which stays in the stream.
    fn take_while(&mut self, fits: impl Fn(u8) -> bool, got: &mut Vec<u8>) -> Option<Vec<u8>> {
        let mut taken = Vec::new();
        while fits(self.connection().peek().ok()??) {
            let byte = self.connection().byte().ok()??;
            taken.push(byte);
            got.push(byte);
        }
        Some(taken)
    }

    /// What follows a wrong reply, for the message.
    fn rest_of_line(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.connection().shorten_timeout();
        while let Ok(Some(byte)) = self.connection().byte() {
            rest.push(byte);
            if byte == b'\n' {
                break;
            }
        }
        rest
    }

    fn expect_closed(&mut self, line: usize) {
        match self.connection().byte() {
            Ok(None) => {}
            Ok(Some(byte)) => {
                let rest = self.rest_of_line();
                let got = show(&[vec![byte], rest].concat());
                self.fail(
                    line,
                    &format!("wanted the end of the connection\n     got {got}"),
                );
            }
            Err(error) => self.fail(line, &format!("the connection was not closed: {error}")),
        }
        self.connections.remove(&self.current);
    }

    fn expect_exit(&mut self, line: usize, status: i32) {
        let ended = self.server.wait_for_exit(EXIT_TIMEOUT);
        if ended.code() != Some(status) {
            self.fail(line, &format!("the server ended with {ended}"));
        }
        self.connections.clear();
    }

    fn finish(mut self) {
        self.exchange();
        let names: Vec<String> = self.connections.keys().cloned().collect();
        for name in names {
            self.current = name;
            if self.binary.contains(&self.current) {
                self.connection().send(NOOP);
                self.expect(0, &vec![Piece::Literal(NOOP_REPLY.to_vec())]);
            } else {
                self.connection().send("mn\r\n");
                self.expect(0, &vec![Piece::Literal(b"MN\r\n".to_vec())]);
            }
        }
    }

    fn fail(&self, line: usize, message: &str) -> ! {
        let place = if line == 0 {
            "end".to_owned()
        } else {
            line.to_string()
        };
        panic!("{}.txt:{place} ({:?}): {message}", self.name, self.way);
    }
}

fn unix_time() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is set").as_secs()
}

/// Writes the input. An error is not looked at: where the server may close, the transcript says so, and
/// elsewhere the missing reply is the better message.
fn write_all(mut stream: TcpStream, input: &[u8], way: Way) {
    let piece_bytes = match way {
        Way::Bytes => input.len().div_ceil(WRITES_MAX).max(1),
        Way::Whole | Way::Pipelined => input.len().max(1),
    };
    for piece in input.chunks(piece_bytes) {
        if stream.write_all(piece).is_err() {
            return;
        }
        if way == Way::Bytes {
            thread::sleep(PIECE_PAUSE);
        }
    }
}

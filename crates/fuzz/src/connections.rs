//! A whole connection: however what a client sends is cut into arrivals, it is answered alike; and every request
//! datagram is answered in whole messages.
//!
//! ```text
//!   input:  how (1 byte) | seed of the cuts (3 bytes) | commands as they are, or choices to make some from
//!
//!   commands --+-- at once ---------> a fresh server --> replies --+
//!              +-- cut into pieces -> another one -----> replies --+-- equal
//!
//!   datagrams --> a fresh server --> messages: headers right, and what the first is answered is what a stream gets
//! ```
//!
//! The servers come from outside (`crates/server/src/harness.rs`): this crate knows the protocol only.

use crate::Choices;
use crate::streams::{binary, fill_in, meta, text};

/// A fresh server of streams: what it answers to pieces that arrive one after the other, and whether it closes the
/// connection before the client does.
pub type Stream = fn(&[&[u8]]) -> (Vec<u8>, bool);
/// A fresh server of datagrams: the message for each, if it is a request, with all of its datagrams one after the
/// other.
pub type Datagrams = fn(&[&[u8]]) -> Vec<Option<Vec<u8>>>;

/// Commands of one input at most, and bytes of them, give or take one.
const COMMANDS_MAX: usize = 64;
const COMMAND_BYTES_MAX: usize = 1 << 20;
/// What a TLS client sends first. A server takes the byte alone for that, and looks at those behind it if they are
/// there.
const TLS_HANDSHAKE: u8 = 22;
/// A line that is longer closes the connection, but only if it arrives without its end.
const LINE_BYTES_MAX: usize = 2048;
/// Values of commands that may be read as lines stay below that.
const VALUE_BYTES_MAX: usize = 1500;
/// Values that take other ways: kept in the input, received into slab memory, as one chunk and as several, refused.
const LARGE_VALUES: [usize; 7] = [4096, 4097, 20_000, 33_000, 70_000, 300_000, 1 << 20];
/// Pieces of one stream at most, but for one that comes byte by byte.
const CUTS_MAX: usize = 12;
const BYTEWISE_BYTES_MAX: usize = 1024;
/// Bytes of the frame of a datagram, and the longest datagram of a reply.
const FRAME_BYTES: usize = 8;
const DATAGRAM_BYTES_MAX: usize = 1400;
/// What is not compared: the opcode of statistics, whose values differ from server to server, and commands that are
/// refused behind others whose replies have not left.
const NOT_ALIKE: [&[u8]; 4] = [b"\x80\x10", b"watch", b"metadump", b"mgdump"];

/// Sends the commands of `input` to two servers, to one of them in pieces.
pub fn stream(input: &[u8], server: Stream) {
    let Some((&[how, seed @ ..], rest)) = input.split_first_chunk::<4>() else {
        return;
    };
    let commands = commands(how, rest);
    let seed = seed
        .iter()
        .fold(0, |seed, &byte| seed << 8 | u64::from(byte));
    let bytewise = how & 0x80 != 0 && commands.len() <= BYTEWISE_BYTES_MAX;
    let pieces = match bytewise {
        true => commands.chunks(1).collect(),
        false => cut(&commands, &mut Choices::seeded(seed)),
    };
    let (at_once, in_pieces) = (server(&[&commands]), server(&pieces));
    if !is_comparable(&commands) {
        return;
    }
    let (whole, cut) = (comparable(&at_once.0), comparable(&in_pieces.0));
    let has_long_line = commands
        .split(|&byte| byte == b'\n')
        .any(|line| line.len() > LINE_BYTES_MAX);
    if has_long_line && in_pieces.1 {
        assert!(whole.starts_with(&cut), "closed by a line that is too long");
        return;
    }
    assert!(
        whole == cut && at_once.1 == in_pieces.1,
        "in {} pieces that begin with {:?} bytes:\n{}\nis answered\n{}\nand at once\n{}",
        pieces.len(),
        pieces
            .iter()
            .map(|piece| piece.len())
            .take(CUTS_MAX)
            .collect::<Vec<_>>(),
        shown(&commands),
        shown(&cut),
        shown(&whole)
    );
}

/// Sends the datagrams of `input` to one server.
pub fn datagrams(input: &[u8], stream: Stream, server: Datagrams) {
    let datagrams = requests(input);
    let references: Vec<&[u8]> = datagrams.iter().map(Vec::as_slice).collect();
    let mut is_first = true;
    for (datagram, message) in datagrams.iter().zip(server(&references)) {
        let is_request = datagram.len() > FRAME_BYTES && datagram[4..6] == [0, 1];
        assert_eq!(message.is_some(), is_request, "{}", datagram.escape_ascii());
        let Some(message) = message else { continue };
        let reply = reassemble([datagram[0], datagram[1]], &message);
        let request = &datagram[FRAME_BYTES..];
        if std::mem::take(&mut is_first) && is_comparable(request) && !reply.is_empty() {
            let same = comparable(&stream(&[request]).0) == comparable(&reply);
            assert!(same, "{}: {}", request.escape_ascii(), reply.escape_ascii());
        }
    }
}

/// Puts a message together as a client does, and checks every header.
fn reassemble(id: [u8; 2], message: &[u8]) -> Vec<u8> {
    let datagrams = message.chunks(DATAGRAM_BYTES_MAX);
    let total = (datagrams.len() as u16).to_be_bytes();
    let mut reply = Vec::new();
    for (number, datagram) in datagrams.enumerate() {
        let number = (number as u16).to_be_bytes();
        let (header, payload) = datagram.split_at(FRAME_BYTES);
        assert_eq!(header, [id, number, total, [0, 0]].concat());
        assert!(!payload.is_empty(), "an empty datagram");
        reply.extend_from_slice(payload);
    }
    reply
}

/// Whole datagrams, most of them with the header of a request.
fn requests(input: &[u8]) -> Vec<Vec<u8>> {
    let mut choices = Choices::from_bytes(input);
    let mut datagrams = Vec::new();
    while !choices.is_exhausted() && datagrams.len() < COMMANDS_MAX {
        let id = [choices.byte(), choices.byte()];
        let (number, total, reserved) = match choices.one_in(4) {
            true => (choices.byte(), choices.byte() % 3, choices.byte()),
            false => (0, 1, 0),
        };
        let mut datagram = vec![id[0], id[1], 0, number, 0, total, 0, reserved];
        for _ in 0..choices.below(4) {
            let source = choices.below(4) as u8;
            let length = choices.below(50);
            match source {
                0 => datagram.extend(choices.bytes(length)),
                _ => datagram.extend(command(source, datagram.len(), &mut choices)),
            }
        }
        if choices.one_in(8) {
            datagram.truncate(choices.below(datagram.len() + 1));
        }
        datagrams.push(datagram);
    }
    datagrams
}

/// What a client sends.
fn commands(how: u8, rest: &[u8]) -> Vec<u8> {
    let source = how % 4;
    if source == 0 {
        return rest[..rest.len().min(LINE_BYTES_MAX)].to_vec();
    }
    let mut choices = Choices::from_bytes(rest);
    let mut bytes = Vec::new();
    for number in 0..COMMANDS_MAX {
        if choices.is_exhausted() || bytes.len() > COMMAND_BYTES_MAX {
            break;
        }
        bytes.extend(match choices.one_in(12) {
            true => large(source, &mut choices),
            false => command(source, number, &mut choices),
        });
    }
    bytes
}

/// One command of the protocol that `source` stands for.
fn command(source: u8, number: usize, choices: &mut Choices<'_>) -> Vec<u8> {
    match source {
        1 => fill_in(&text::request(choices, VALUE_BYTES_MAX), |_| 1),
        2 => fill_in(&meta::request(choices, number), |_| 1),
        _ => {
            let mut packet = Vec::new();
            binary::request(choices).write(&mut packet, number as u32, 1);
            packet
        }
    }
}

/// A set of a large value, now and then without the right end, and what asks for it.
fn large(source: u8, choices: &mut Choices<'_>) -> Vec<u8> {
    let length = LARGE_VALUES[choices.below(LARGE_VALUES.len())] - choices.below(3);
    let key = ["k0", "k1", "n0"][choices.below(3)];
    let value = vec![b'v'; length];
    let end = if choices.one_in(4) { "\rx" } else { "\r\n" };
    let (head, tail) = match source {
        1 => (
            format!("set {key} 5 0 {length}\r\n"),
            format!("{end}get {key}\r\n"),
        ),
        2 => (
            format!("ms {key} {length} c\r\n"),
            format!("{end}mg {key} s v\r\n"),
        ),
        _ => {
            let mut packet = vec![0x80, 1, 0, 2, 8, 0, 0, 0];
            packet.extend_from_slice(&(length as u32 + 10).to_be_bytes());
            packet.extend_from_slice(&[0; 20]);
            packet.extend_from_slice(key.as_bytes());
            packet.extend_from_slice(&value);
            return packet;
        }
    };
    [head.as_bytes(), &value, tail.as_bytes()].concat()
}

/// Cuts `bytes` at a few places.
fn cut<'a>(bytes: &'a [u8], choices: &mut Choices<'_>) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = (0..=choices.below(CUTS_MAX))
        .map(|_| choices.below(bytes.len() + 1))
        .collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut from = 0;
    let pieces = cuts.into_iter().map(|to| {
        let piece = &bytes[from..to];
        from = to;
        piece
    });
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// Replies without the values of statistics.
fn comparable(replies: &[u8]) -> Vec<u8> {
    let lines = replies.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let words = line.splitn(3, |&byte| byte == b' ');
        match line.starts_with(b"STAT ") {
            true => words.take(2).collect::<Vec<_>>().concat(),
            false => line.to_vec(),
        }
    });
    lines.collect::<Vec<_>>().concat()
}

fn is_comparable(commands: &[u8]) -> bool {
    let has = |what: &[u8]| commands.windows(what.len()).any(|window| window == what);
    commands.first() != Some(&TLS_HANDSHAKE) && !NOT_ALIKE.iter().any(|what| has(what))
}

/// Bytes for a message, without most of a long value.
fn shown(bytes: &[u8]) -> String {
    const ENDS: usize = 500;
    match bytes.len() > 2 * ENDS {
        true => format!(
            "{}...{}",
            bytes[..ENDS].escape_ascii(),
            bytes[bytes.len() - ENDS..].escape_ascii()
        ),
        false => bytes.escape_ascii().to_string(),
    }
}

//! A get of many keys in each protocol, and the reply that it must have.

use super::values::{Values, name};

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `get k1 k2 ...`.
    Text,
    /// `mg k1 v k`, and so on, then `mn`.
    Meta,
    /// GETKQ for each key, then NOOP. The server runs with `-C`: there is no cas unique to know.
    Binary,
}

/// All of them.
pub(super) const PROTOCOLS: [Protocol; 3] = [Protocol::Text, Protocol::Meta, Protocol::Binary];

const GETKQ: u8 = 0x0d;
const NOOP: u8 = 0x0a;

/// A part of a reply.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// The value of a key.
    Value(usize),
}

impl Protocol {
    /// Appends a request for the keys.
    pub(super) fn request(self, keys: &[usize], out: &mut Vec<u8>) {
        let names = keys.iter().map(|&key| name(key));
        match self {
            Protocol::Text => {
                let names: Vec<String> = names.collect();
                out.extend_from_slice(format!("get {}\r\n", names.join(" ")).as_bytes());
            }
            Protocol::Meta => {
                names.for_each(|name| {
                    out.extend_from_slice(format!("mg {name} k v\r\n").as_bytes());
                });
                out.extend_from_slice(b"mn\r\n");
            }
            Protocol::Binary => {
                names.for_each(|name| out.extend(packet(0x80, GETKQ, name.as_bytes(), 0, 0)));
                out.extend(packet(0x80, NOOP, b"", 0, 0));
            }
        }
    }

    /// The reply, piece by piece.
    pub(super) fn reply(self, keys: &[usize], values: &Values) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for &key in keys {
            let (name, length) = (name(key), values.bytes(key).len());
            let (head, tail) = match self {
                Protocol::Text => (format!("VALUE {name} 0 {length}\r\n").into_bytes(), "\r\n"),
                Protocol::Meta => (format!("VA {length} k{name}\r\n").into_bytes(), "\r\n"),
                Protocol::Binary => (packet(0x81, GETKQ, name.as_bytes(), 4, length), ""),
            };
            pieces.push(Piece::Bytes(head));
            pieces.push(Piece::Value(key));
            pieces.push(Piece::Bytes(tail.into()));
        }
        pieces.push(Piece::Bytes(match self {
            Protocol::Text => b"END\r\n".to_vec(),
            Protocol::Meta => b"MN\r\n".to_vec(),
            Protocol::Binary => packet(0x81, NOOP, b"", 0, 0),
        }));
        pieces
    }
}

/// A packet without its value: the header, `extras` bytes of 0 (the client flags), and the key.
fn packet(magic: u8, opcode: u8, key: &[u8], extras: u8, value_bytes: usize) -> Vec<u8> {
    let mut packet = vec![0; 24];
    (packet[0], packet[1], packet[4]) = (magic, opcode, extras);
    packet[2..4].copy_from_slice(&(key.len() as u16).to_be_bytes());
    let body = usize::from(extras) + key.len() + value_bytes;
    packet[8..12].copy_from_slice(&(body as u32).to_be_bytes());
    packet.resize(24 + usize::from(extras), 0);
    packet.extend_from_slice(key);
    packet
}

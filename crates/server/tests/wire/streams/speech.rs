//! A get of many keys in each protocol, and the reply that it must have.

use corecached_client::wire::binary::{self, Head, Header, Opcode, REPLY_MAGIC};
use corecached_client::wire::meta::Command;
use corecached_client::wire::text;

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
                text::multi_get(out, &names);
            }
            Protocol::Meta => {
                names.for_each(|name| Command::get(out, &name).letter(b'k').letter(b'v').end());
                text::meta_noop(out);
            }
            Protocol::Binary => {
                names.for_each(|name| binary::keyed(out, Opcode::GetKQ, 0, &name, 0));
                binary::bare(out, Opcode::Noop, 0);
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
                Protocol::Binary => (
                    reply_packet(Opcode::GetKQ, &[0; 4], name.as_bytes(), length),
                    "",
                ),
            };
            pieces.push(Piece::Bytes(head));
            pieces.push(Piece::Value(key));
            pieces.push(Piece::Bytes(tail.into()));
        }
        pieces.push(Piece::Bytes(match self {
            Protocol::Text => b"END\r\n".to_vec(),
            Protocol::Meta => b"MN\r\n".to_vec(),
            Protocol::Binary => reply_packet(Opcode::Noop, b"", b"", 0),
        }));
        pieces
    }
}

/// A reply without its value: the header, the client flags, which are 0, and the key.
fn reply_packet(opcode: Opcode, extras: &[u8], key: &[u8], value_bytes: usize) -> Vec<u8> {
    let header = Header {
        magic: REPLY_MAGIC,
        head: Head {
            opcode: opcode as u8,
            opaque: 0,
        },
        status: 0,
        extras_bytes: extras.len() as u8,
        key_bytes: key.len() as u16,
        body_bytes: (extras.len() + key.len() + value_bytes) as u32,
        cas: 0,
    };
    [&header.bytes(), extras, key].concat()
}

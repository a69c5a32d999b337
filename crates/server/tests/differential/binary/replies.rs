//! A stream of reply packets that can be compared.

use corecached_client::wire::binary::{Part, ReplyParser, Status, Step};

use crate::cas::CasPairs;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) opcode: u8,
    pub(super) status: u16,
    pub(super) opaque: u32,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    cas: u64,
}

impl Packet {
    /// For people.
    pub(super) fn show(&self) -> String {
        let value = self.value[..self.value.len().min(40)].escape_ascii();
        let extras = self.extras.escape_ascii();
        let (opcode, status, opaque, cas) = (self.opcode, self.status, self.opaque, self.cas);
        let length = self.value.len();
        format!(
            "{opcode:02x} status {status:x} opaque {opaque} cas {cas} extras {extras} {length}: {value}"
        )
    }
}

/// The packets of a stream of replies.
///
/// # Panics
/// If they are not whole.
pub(super) fn packets(mut rest: &[u8]) -> Vec<Packet> {
    let (mut packets, mut parser) = (Vec::<Packet>::new(), ReplyParser::new());
    let mut value_left = 0;
    while !rest.is_empty() {
        let Step::Part { consumed, part } = parser.next(rest) else {
            panic!("no reply: {}", rest[..rest.len().min(300)].escape_ascii());
        };
        rest = &rest[consumed..];
        match part {
            Part::Hit {
                head,
                key,
                client_flags,
                value_bytes,
                cas,
            } => {
                value_left = value_bytes;
                packets.push(Packet {
                    opcode: head.opcode,
                    status: Status::Ok as u16,
                    opaque: head.opaque,
                    extras: client_flags.to_be_bytes().to_vec(),
                    key: key.to_vec(),
                    value: Vec::new(),
                    cas,
                });
            }
            Part::Data(piece) => {
                value_left -= piece.bytes.len();
                let packet = packets.last_mut().expect("a value has a header");
                packet.value.extend_from_slice(piece.bytes);
            }
            Part::Reply(reply) => packets.push(Packet {
                opcode: reply.head.opcode,
                status: reply.status.map_or_else(|code| code, |known| known as u16),
                opaque: reply.head.opaque,
                extras: reply.extras.to_vec(),
                key: reply.key.to_vec(),
                value: reply.value.to_vec(),
                cas: reply.cas,
            }),
        }
    }
    assert_eq!(value_left, 0, "the last value is not whole");
    packets
}

/// Whether both replies to a request for `key` are the same, but for numbers of cas uniques and spaces behind a number.
pub(super) fn same(pairs: &mut CasPairs, key: &[u8], theirs: &Packet, ours: &Packet) -> bool {
    let cas = match (theirs.cas, ours.cas) {
        (0, 0) => true,
        (0, _) | (_, 0) => false,
        (theirs, ours) => pairs.agree(key, theirs, ours),
    };
    let value = theirs.value == ours.value || pairs.differ_in_padding(&theirs.value, &ours.value);
    let rest = |packet: &Packet| Packet {
        cas: 0,
        value: Vec::new(),
        ..packet.clone()
    };
    cas && value && rest(theirs) == rest(ours)
}

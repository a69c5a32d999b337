//! A stream of reply packets, read in the simplest way there is: what is checked must not be checked by itself.

use crate::cas::CasPairs;

const HEADER_BYTES: usize = 24;

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
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let (header, after) = rest.split_at(HEADER_BYTES);
        let number = |at: usize, bytes: usize| {
            let field = header[at..at + bytes].iter();
            field.fold(0u64, |number, &byte| number << 8 | u64::from(byte))
        };
        assert_eq!(header[0], 0x81, "no reply: {}", header.escape_ascii());
        let (body, after) = after.split_at(number(8, 4) as usize);
        let (extras, body) = body.split_at(number(4, 1) as usize);
        let (key, value) = body.split_at(number(2, 2) as usize);
        packets.push(Packet {
            opcode: header[1],
            status: number(6, 2) as u16,
            opaque: number(12, 4) as u32,
            extras: extras.to_vec(),
            key: key.to_vec(),
            value: value.to_vec(),
            cas: number(16, 8),
        });
        rest = after;
    }
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

//! Requests of the binary protocol.
//!
//! Keys `n0` and `n1` hold numbers only, so that the padding that DECR may leave never gets into other values.

use crate::Choices;
use corecached_protocol::binary::{ArithExtras, Head, Header, REQUEST_MAGIC, StoreExtras};

const KEYS: [&[u8]; 7] = [
    b"k0",
    b"k1",
    b"k2",
    b"k3",
    b"k4",
    b"with space",
    b"\0\xff\r\n",
];
const NUMBER_KEYS: [&[u8]; 2] = [b"n0", b"n1"];
const VALUE_LENGTHS: [usize; 7] = [0, 1, 5, 40, 300, 5000, 17_000];
const NOOP: u8 = 0x0a;

/// One packet, but for its opaque and the number of its cas unique.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it asks for; any byte.
    pub opcode: u8,
    /// The key.
    pub key: Vec<u8>,
    /// What stands before the key.
    pub extras: Vec<u8>,
    /// What stands behind it.
    pub value: Vec<u8>,
    /// The cas unique.
    pub cas: Cas,
}

/// The cas unique of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cas {
    /// This one; 0 is none.
    Is(u64),
    /// The one that the server last gave with this key.
    OfKey,
}

impl Request {
    fn new(opcode: u8, key: &[u8], extras: &[u8], value: &[u8], cas: Cas) -> Self {
        Request {
            opcode,
            key: key.to_vec(),
            extras: extras.to_vec(),
            value: value.to_vec(),
            cas,
        }
    }

    /// A packet that is answered when all before it are.
    #[must_use]
    pub fn noop() -> Self {
        Request::new(NOOP, b"", b"", b"", Cas::Is(0))
    }

    /// Appends the packet. `cas_of_key` is what [`Cas::OfKey`] stands for.
    pub fn write(&self, out: &mut Vec<u8>, opaque: u32, cas_of_key: u64) {
        let body = self.extras.len() + self.key.len() + self.value.len();
        let cas = match self.cas {
            Cas::Is(cas) => cas,
            Cas::OfKey => cas_of_key,
        };
        let header = Header {
            magic: REQUEST_MAGIC,
            head: Head {
                opcode: self.opcode,
                opaque,
            },
            status: 0,
            extras_bytes: self.extras.len() as u8,
            key_bytes: self.key.len() as u16,
            body_bytes: body as u32,
            cas,
        };
        out.extend_from_slice(&header.bytes());
        for part in [&self.extras, &self.key, &self.value] {
            out.extend_from_slice(part);
        }
    }
}

/// One request, after which the connection goes on.
#[must_use]
pub fn request(choices: &mut Choices<'_>) -> Request {
    let none = Cas::Is(0);
    match choices.below(50) {
        0..=14 => {
            let opcode = opcode(choices, &[0x00, 0x09, 0x0c, 0x0d]);
            Request::new(opcode, any_key(choices), b"", b"", none)
        }
        15..=25 => store(choices),
        26..=29 => {
            let opcode = opcode(choices, &[0x0e, 0x0f, 0x19, 0x1a]);
            let (value, cas) = (value(choices), cas(choices));
            Request::new(opcode, choices.of(&KEYS), b"", &value, cas)
        }
        30..=32 => {
            let opcode = opcode(choices, &[0x04, 0x14]);
            let cas = cas(choices);
            Request::new(opcode, any_key(choices), b"", b"", cas)
        }
        33..=39 => arith(choices),
        40 | 41 => {
            let opcode = opcode(choices, &[0x1c, 0x1d, 0x1e, 0x23, 0x24]);
            let exptime = [0u32, 1000][choices.below(2)].to_be_bytes();
            Request::new(opcode, any_key(choices), &exptime, b"", none)
        }
        42 => {
            let extras: &[u8] = if choices.one_in(3) { &[0; 4] } else { b"" };
            Request::new(opcode(choices, &[0x08, 0x18]), b"", extras, b"", none)
        }
        43 => Request::new(
            opcode(choices, &[0x1b, 0x25, 0x40, 0xff]),
            b"",
            b"",
            b"",
            none,
        ),
        44 => Request::new(0x20, b"", b"", b"", none),
        45 => Request::new(0x10, b"nosuch", b"", b"", none),
        46 | 47 => number(choices),
        48 if choices.one_in(4) => Request::new(0x01, b"k0", &[0; 8], &vec![b'x'; 1 << 20], none),
        _ => Request::noop(),
    }
}

/// A packet whose lengths are not those of its opcode, or one that asks to close: the connection ends with it.
#[must_use]
pub fn last_request(choices: &mut Choices<'_>) -> Request {
    let long = [b'k'; 251];
    let (opcode, key, extras): (u8, &[u8], &[u8]) = match choices.below(15) {
        0 => (0x00, b"", b""),
        1 => (0x00, b"k", b"xx"),
        2 => (0x00, &long, b""),
        3 => (0x01, b"k", b""),
        4 => (0x04, b"", b""),
        5 => (0x05, b"n", b"xxxxxxxx"),
        6 => (0x07, b"", b""),
        7 => (0x07, b"k", b""),
        8 => (0x08, b"k", b""),
        9 => (0x0a, b"k", b""),
        10 => (0x0b, b"", b"1"),
        11 => (0x0e, b"k", b"1234"),
        12 => (0x10, b"", b"xx"),
        13 => (0x17, b"", b""),
        _ => (0x1d, b"k", b""),
    };
    let value: &[u8] = if matches!(opcode, 0x01 | 0x0e) {
        b"v"
    } else {
        b""
    };
    Request::new(opcode, key, extras, value, Cas::Is(0))
}

fn opcode(choices: &mut Choices<'_>, all: &[u8]) -> u8 {
    all[choices.below(all.len())]
}

fn any_key(choices: &mut Choices<'_>) -> &'static [u8] {
    if choices.one_in(6) {
        choices.of(&NUMBER_KEYS)
    } else {
        choices.of(&KEYS)
    }
}

fn cas(choices: &mut Choices<'_>) -> Cas {
    match choices.below(5) {
        0..=2 => Cas::Is(0),
        3 => Cas::Is(u64::MAX),
        _ => Cas::OfKey,
    }
}

fn value(choices: &mut Choices<'_>) -> Vec<u8> {
    let length = VALUE_LENGTHS[choices.below(VALUE_LENGTHS.len())];
    let pattern = choices.bytes(16);
    pattern.into_iter().cycle().take(length).collect()
}

fn store(choices: &mut Choices<'_>) -> Request {
    let opcode = opcode(choices, &[0x01, 0x02, 0x03, 0x11, 0x12, 0x13]);
    let client_flags = [0, 7, u32::MAX][choices.below(3)];
    let exptime = [0u32, 0, 1000][choices.below(3)];
    let extras = StoreExtras {
        client_flags,
        exptime,
    };
    let (value, cas) = (value(choices), cas(choices));
    Request::new(opcode, choices.of(&KEYS), &extras.bytes(), &value, cas)
}

fn arith(choices: &mut Choices<'_>) -> Request {
    let opcode = opcode(choices, &[0x05, 0x06, 0x15, 0x16]);
    let key = if choices.one_in(8) {
        b"k0"
    } else {
        choices.of(&NUMBER_KEYS)
    };
    let delta = [1, 5, 1000, u64::MAX][choices.below(4)];
    let initial = [0u64, 10, 99][choices.below(3)];
    // Without creation where the value would be a number under a key that others are put behind.
    let create = key != b"k0" && !choices.one_in(3);
    let extras = ArithExtras {
        delta,
        create: create.then_some((initial, 0)),
    };
    let cas = cas(choices);
    Request::new(opcode, key, &extras.bytes(), b"", cas)
}

/// Sets a key that holds numbers to one, or to what almost is one.
fn number(choices: &mut Choices<'_>) -> Request {
    let numbers: [&[u8]; 9] = [
        b"12",
        b"0",
        b"100",
        b"12 ",
        b"+5",
        b"",
        b"x",
        b"12x",
        b"18446744073709551615",
    ];
    let value = choices.of(&numbers);
    Request::new(0x01, choices.of(&NUMBER_KEYS), &[0; 8], value, Cas::Is(0))
}

//! Random command streams, half of them malformed, that leave a server knowing where the next command begins.
//!
//! A request is whole: its line, the data block that belongs to it, and, where its announced length is wrong on
//! purpose, bytes that make up for it. So streams can be joined, cut anywhere, and answered by two servers side by
//! side.

pub mod binary;
pub mod meta;
pub mod text;

/// Values that are numbers, and some that almost are.
const NUMBERS: [&str; 18] = [
    "0",
    "9",
    "10",
    "99",
    "100",
    "1000",
    "18446744073709551614",
    "18446744073709551615",
    "007",
    "12 ",
    " 12",
    "+5",
    "-5",
    "",
    "12x",
    "x",
    "18446744073709551616",
    "1 2",
];

/// Stands in a request for the cas unique that the server last gave with this key, ended by [`CAS_END`].
pub const CAS_OF: &[u8] = b"\x01cas:";
/// Ends the key after [`CAS_OF`].
pub const CAS_END: u8 = 0x02;

/// Writes `request` with every cas unique that it wants filled in by `cas_of`.
#[must_use]
pub fn fill_in(request: &[u8], mut cas_of: impl FnMut(&[u8]) -> u64) -> Vec<u8> {
    let mut filled = Vec::with_capacity(request.len());
    let mut rest = request;
    while let Some(at) = find(rest, CAS_OF) {
        filled.extend_from_slice(&rest[..at]);
        let key = &rest[at + CAS_OF.len()..];
        let end = key.iter().position(|&byte| byte == CAS_END);
        let end = end.expect("a generator ends what it begins");
        filled.extend_from_slice(cas_of(&key[..end]).to_string().as_bytes());
        rest = &key[end + 1..];
    }
    filled.extend_from_slice(rest);
    filled
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

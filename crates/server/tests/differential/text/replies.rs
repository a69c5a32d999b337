//! A stream of replies as units that can be compared.

use corecached_client::wire::line::{Part, ReplyParser, Step};

use crate::cas::CasPairs;

/// A value, or a line of any other kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// `VALUE` with its data.
    Value {
        key: Vec<u8>,
        client_flags: u32,
        cas: Option<u64>,
        data: Vec<u8>,
    },
    /// A line with its end.
    Line(Vec<u8>),
}

impl Unit {
    /// For people.
    pub(super) fn show(&self) -> String {
        match self {
            Unit::Value {
                key,
                client_flags,
                cas,
                data,
            } => {
                let shown = data[..data.len().min(40)].escape_ascii();
                let key = key.escape_ascii();
                format!("VALUE {key} {client_flags} {} {cas:?} {shown}", data.len())
            }
            Unit::Line(line) => line.escape_ascii().to_string(),
        }
    }
}

/// The units of a stream of replies.
///
/// # Panics
/// If the replies are not well formed.
pub(super) fn units(replies: &[u8]) -> Vec<Unit> {
    let (mut units, mut at, mut parser) = (Vec::new(), 0, ReplyParser::new());
    while let Step::Part { consumed, part } = parser.next(&replies[at..]) {
        match part {
            Part::Value(header) => units.push(Unit::Value {
                key: header.key.to_vec(),
                client_flags: header.client_flags,
                cas: header.cas,
                data: Vec::new(),
            }),
            Part::Data(piece) => {
                if let Some(Unit::Value { data, .. }) = units.last_mut() {
                    data.extend_from_slice(piece.bytes);
                }
            }
            _ => units.push(Unit::Line(replies[at..at + consumed].to_vec())),
        }
        at += consumed;
    }
    let rest = &replies[at..];
    assert!(rest.is_empty(), "not a reply: {}", rest.escape_ascii());
    units
}

/// Whether both units are the same, but for the numbers of cas uniques.
pub(super) fn same(pairs: &mut CasPairs, theirs: &Unit, ours: &Unit) -> bool {
    match (theirs, ours) {
        (
            Unit::Value {
                key,
                client_flags,
                cas,
                data,
            },
            Unit::Value {
                key: our_key,
                client_flags: our_flags,
                cas: our_cas,
                data: our_data,
            },
        ) => {
            let cas_agree = match (cas, our_cas) {
                (Some(theirs), Some(ours)) => pairs.agree(key, *theirs, *ours),
                (None, None) => true,
                _ => false,
            };
            let data_agree = data == our_data || pairs.differ_in_padding(data, our_data);
            cas_agree && data_agree && (key, client_flags) == (our_key, our_flags)
        }
        _ => theirs == ours,
    }
}

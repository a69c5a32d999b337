//! The opcodes that verbs have in the binary protocol.

use crate::workload::verb::Verb;
use corecached_client::wire::binary::Opcode;

/// The opcode of a request with this verb; for a multi-get, the opcode of each of its gets.
pub(super) fn opcode_of(verb: Verb) -> Opcode {
    match verb {
        Verb::Get | Verb::Gets | Verb::MetaGet => Opcode::Get,
        Verb::MultiGet => Opcode::GetKQ,
        Verb::Delete | Verb::MetaDelete => Opcode::Delete,
        Verb::Touch => Opcode::Touch,
        Verb::Gat => Opcode::Gat,
        Verb::Incr | Verb::MetaArith => Opcode::Incr,
        Verb::Decr => Opcode::Decr,
        Verb::Set | Verb::Cas | Verb::MetaSet => Opcode::Set,
        Verb::Add => Opcode::Add,
        Verb::Replace => Opcode::Replace,
        Verb::Append => Opcode::Append,
        Verb::Prepend => Opcode::Prepend,
    }
}

/// Whether a reply with this opcode can be meant for a request with this verb.
pub(super) fn answers(opcode: u8, verb: Verb) -> bool {
    opcode == opcode_of(verb) as u8 || (verb == Verb::MultiGet && opcode == Opcode::Noop as u8)
}

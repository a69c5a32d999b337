//! Meta requests (`mg`, `ms`, `md`, `ma`), rendered by `corecached_client`. Replies are parsed by [`super::line`].
//!
//! | verb | command |
//! | --- | --- |
//! | get, mg | `mg key v` |
//! | gets | `mg key v c` |
//! | multiget | `mg key k v q` for each key, then `mn` |
//! | gat | `mg key v T60` |
//! | touch | `mg key T60` |
//! | set, ms | `ms key bytes T60`; add, replace, append, prepend with `ME MR MA MP`, cas with `C` |
//! | delete, md | `md key` |
//! | incr, ma | `ma key v`; decr with `MD` |

use super::request::{KeyPiece, Request};
use crate::workload::Workload;
use crate::workload::verb::Verb;
use corecached_client::wire::meta::{Command, Flag};
use corecached_client::wire::text;

/// Appends the request.
pub fn render(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let key = request.key_piece(workload);
    let ttl_s = request.mark.ttl_s;
    match request.verb {
        Verb::Get | Verb::MetaGet => Command::get(out, key).letter(b'v').end(),
        Verb::Gets => Command::get(out, key).letter(b'v').letter(b'c').end(),
        Verb::MultiGet => multiget(request.key_pieces(workload), out),
        Verb::Gat => {
            let command = Command::get(out, key).letter(b'v');
            command.number(b'T', ttl_s).end();
        }
        Verb::Touch => Command::get(out, key).number(b'T', ttl_s).end(),
        Verb::Delete | Verb::MetaDelete => Command::delete(out, key).end(),
        Verb::Incr | Verb::MetaArith => Command::arith(out, key).letter(b'v').end(),
        Verb::Decr => {
            let command = Command::arith(out, key).letter(b'v');
            command.flag(mode(b"D")).end();
        }
        Verb::Set | Verb::MetaSet | Verb::Cas => store(None, workload, request, out),
        Verb::Add => store(Some(b"E"), workload, request, out),
        Verb::Replace => store(Some(b"R"), workload, request, out),
        Verb::Append => store(Some(b"A"), workload, request, out),
        Verb::Prepend => store(Some(b"P"), workload, request, out),
    }
}

fn mode(argument: &[u8; 1]) -> Flag<'_> {
    Flag {
        letter: b'M',
        argument,
    }
}

fn multiget<'w>(keys: impl Iterator<Item = KeyPiece<'w>>, out: &mut Vec<u8>) {
    for key in keys {
        let command = Command::get(out, key).letter(b'k');
        command.letter(b'v').letter(b'q').end();
    }
    text::meta_noop(out);
}

fn store(
    argument: Option<&[u8; 1]>,
    workload: &Workload,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) {
    let value = request.value_piece(workload);
    let bytes = request.value_bytes(workload) as usize;
    let mut command = Command::set(out, request.key_piece(workload), bytes);
    command = command.number(b'T', request.mark.ttl_s);
    if let Some(argument) = argument {
        command = command.flag(mode(argument));
    }
    if request.verb == Verb::Cas {
        command = command.number(b'C', request.cas_unique);
    }
    command.end_with_value(value);
}

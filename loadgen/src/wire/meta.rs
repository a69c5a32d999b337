//! Meta requests: `mg`, `ms`, `md`, `ma`. Replies are parsed by [`super::line`].
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

use super::{Request, push_number};
use crate::workload::Workload;
use crate::workload::verb::Verb;

/// Appends the request.
pub fn render(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    match request.verb {
        Verb::Get | Verb::MetaGet => simple(b"mg ", b" v\r\n", workload, request, out),
        Verb::Gets => simple(b"mg ", b" v c\r\n", workload, request, out),
        Verb::MultiGet => multiget(workload, request, out),
        Verb::Gat => touching(b" v T", workload, request, out),
        Verb::Touch => touching(b" T", workload, request, out),
        Verb::Delete | Verb::MetaDelete => simple(b"md ", b"\r\n", workload, request, out),
        Verb::Incr | Verb::MetaArith => simple(b"ma ", b" v\r\n", workload, request, out),
        Verb::Decr => simple(b"ma ", b" v MD\r\n", workload, request, out),
        Verb::Set | Verb::MetaSet | Verb::Cas => store(b"", workload, request, out),
        Verb::Add => store(b" ME", workload, request, out),
        Verb::Replace => store(b" MR", workload, request, out),
        Verb::Append => store(b" MA", workload, request, out),
        Verb::Prepend => store(b" MP", workload, request, out),
    }
}

fn simple(
    command: &[u8],
    flags: &[u8],
    workload: &Workload,
    request: &Request<'_>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(command);
    workload.key_format.render(request.space, request.key, out);
    out.extend_from_slice(flags);
}

fn touching(flags: &[u8], workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    simple(b"mg ", flags, workload, request, out);
    push_number(u64::from(request.mark.ttl_s), out);
    out.extend_from_slice(b"\r\n");
}

fn multiget(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    for &key in request.keys {
        simple(
            b"mg ",
            b" k v q\r\n",
            workload,
            &Request { key, ..*request },
            out,
        );
    }
    out.extend_from_slice(b"mn\r\n");
}

fn store(mode: &[u8], workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    simple(b"ms ", b" ", workload, request, out);
    push_number(u64::from(request.value_bytes(workload)), out);
    out.extend_from_slice(b" T");
    push_number(u64::from(request.mark.ttl_s), out);
    out.extend_from_slice(mode);
    if request.verb == Verb::Cas {
        out.extend_from_slice(b" C");
        push_number(request.cas_unique, out);
    }
    out.extend_from_slice(b"\r\n");
    request.render_value(workload, out);
    out.extend_from_slice(b"\r\n");
}

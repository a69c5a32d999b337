//! Classic text requests. Replies are parsed by [`super::line`].

use super::{Request, push_number};
use crate::workload::Workload;
use crate::workload::verb::Verb;

/// Appends the request. Meta verbs are rendered by [`super::meta`].
pub fn render(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    match request.verb {
        Verb::Get => one_key(b"get ", workload, request, out),
        Verb::Gets => one_key(b"gets ", workload, request, out),
        Verb::Delete => one_key(b"delete ", workload, request, out),
        Verb::MultiGet => multiget(workload, request, out),
        Verb::Gat => gat(workload, request, out),
        Verb::Touch => touch(workload, request, out),
        Verb::Incr => arithmetic(b"incr ", workload, request, out),
        Verb::Decr => arithmetic(b"decr ", workload, request, out),
        Verb::Set => store(b"set ", workload, request, out),
        Verb::Add => store(b"add ", workload, request, out),
        Verb::Replace => store(b"replace ", workload, request, out),
        Verb::Append => store(b"append ", workload, request, out),
        Verb::Prepend => store(b"prepend ", workload, request, out),
        Verb::Cas => store(b"cas ", workload, request, out),
        Verb::MetaGet | Verb::MetaSet | Verb::MetaDelete | Verb::MetaArith => {
            super::meta::render(workload, request, out);
        }
    }
}

fn push_key(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    workload.key_format.render(request.space, request.key, out);
}

fn one_key(command: &[u8], workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(command);
    push_key(workload, request, out);
    out.extend_from_slice(b"\r\n");
}

fn multiget(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"get");
    for &key in request.keys {
        out.push(b' ');
        workload.key_format.render(request.space, key, out);
    }
    out.extend_from_slice(b"\r\n");
}

fn gat(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"gat ");
    push_number(u64::from(request.mark.ttl_s), out);
    out.push(b' ');
    push_key(workload, request, out);
    out.extend_from_slice(b"\r\n");
}

fn touch(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"touch ");
    push_key(workload, request, out);
    out.push(b' ');
    push_number(u64::from(request.mark.ttl_s), out);
    out.extend_from_slice(b"\r\n");
}

fn arithmetic(command: &[u8], workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(command);
    push_key(workload, request, out);
    out.extend_from_slice(b" 1\r\n");
}

fn store(command: &[u8], workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(command);
    push_key(workload, request, out);
    out.extend_from_slice(b" 0 ");
    push_number(u64::from(request.mark.ttl_s), out);
    out.push(b' ');
    push_number(u64::from(request.value_bytes(workload)), out);
    if request.verb == Verb::Cas {
        out.push(b' ');
        push_number(request.cas_unique, out);
    }
    out.extend_from_slice(b"\r\n");
    request.render_value(workload, out);
    out.extend_from_slice(b"\r\n");
}

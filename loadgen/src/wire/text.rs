//! Classic text requests, rendered by `corecached_client`. Replies are parsed by [`super::line`].

use super::request::Request;
use crate::workload::Workload;
use crate::workload::verb::Verb;
use corecached_client::wire::text::{self, ReplyMode, Store, StoreVerb};

/// Appends the request. Meta verbs are rendered by [`super::meta`].
pub fn render(workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let key = request.key_piece(workload);
    let exptime = request.mark.ttl_s as i32;
    match request.verb {
        Verb::Get => text::get(out, key),
        Verb::Gets => text::gets(out, key),
        Verb::Delete => text::delete(out, key, ReplyMode::Reply),
        Verb::MultiGet => text::multi_get(out, request.key_pieces(workload)),
        Verb::Gat => text::gat(out, exptime, [key]),
        Verb::Touch => text::touch(out, key, exptime, ReplyMode::Reply),
        Verb::Incr => text::incr(out, key, 1, ReplyMode::Reply),
        Verb::Decr => text::decr(out, key, 1, ReplyMode::Reply),
        Verb::Set => store(StoreVerb::Set, workload, request, out),
        Verb::Add => store(StoreVerb::Add, workload, request, out),
        Verb::Replace => store(StoreVerb::Replace, workload, request, out),
        Verb::Append => store(StoreVerb::Append, workload, request, out),
        Verb::Prepend => store(StoreVerb::Prepend, workload, request, out),
        Verb::Cas => store(StoreVerb::Cas, workload, request, out),
        Verb::MetaGet | Verb::MetaSet | Verb::MetaDelete | Verb::MetaArith => {
            super::meta::render(workload, request, out);
        }
    }
}

fn store(verb: StoreVerb, workload: &Workload, request: &Request<'_>, out: &mut Vec<u8>) {
    let store = Store {
        exptime: request.mark.ttl_s as i32,
        cas: request.cas_unique,
        ..Store::new(verb)
    };
    text::store(
        out,
        request.key_piece(workload),
        &store,
        request.value_piece(workload),
    );
}

//! The binary protocol. Nothing that is sent is answered otherwise by 1.6.18, so there are no rules.

mod replies;

use corecached_fuzz::Choices;
use corecached_fuzz::replies::{Exchange, binary};
use corecached_fuzz::streams::binary::{Request, last_request, request};

use crate::cas::CasPairs;
use crate::link::{Cuts, End, Link};
use crate::peer::Peer;
use crate::settings;
use replies::{Packet, packets, same};

/// Batches on one connection.
const BATCHES: usize = 6;

/// Half as many streams as of the text protocol.
const SHARE: u64 = 2;

/// Opaque of the packet that ends a batch.
const MARKER: u32 = 0xffff_fff0;

/// What flushes everything at the beginning.
const FLUSH: u8 = 0x08;

#[test]
fn random_packets_are_answered_as_by_memcached() {
    let settings = settings();
    let memcached = Peer::memcached(&[]);
    for shards in [1, 4] {
        let ours = Peer::corecached(shards, &[]);
        let mut cas = CasPairs::default();
        for stream in 0..settings.streams.div_ceil(SHARE) {
            let seed = settings.seed.wrapping_add(stream);
            if let Err(difference) = one_stream(seed, [&memcached, &ours], &mut cas) {
                panic!(
                    "binary DIFFERENTIAL_SEED={seed} DIFFERENTIAL_STREAMS=1, {shards} shards\n{difference}"
                );
            }
        }
        println!("numbers with other spaces behind them: {}", cas.paddings);
    }
}

/// A connection to each server, with the same batches.
fn one_stream(seed: u64, peers: [&Peer; 2], cas: &mut CasPairs) -> Result<(), String> {
    let mut choices = Choices::seeded(seed);
    let mut links = peers.map(|peer| Link::over(peer.connect()));
    let (mut sent, mut received, mut closed) = (Vec::new(), Vec::new(), false);
    let mut number = 1;
    for batch in 0..BATCHES {
        let mut requests = batch_of(&mut choices, batch);
        if batch == 0 {
            let flush = Request {
                opcode: FLUSH,
                ..Request::noop()
            };
            requests.insert(0, flush);
        }
        let cuts = Cuts::random(&mut choices);
        let answers = [0, 1].map(|side| {
            let bytes = filled(&requests, number, cas, side);
            let (replies, end) = links[side].exchange(&bytes, &cuts, has_marker);
            if side == 1 {
                sent.extend_from_slice(&bytes);
                received.extend_from_slice(&replies);
                closed = end == End::Closed;
            }
            (replies, end)
        });
        compare(&requests, number, &answers, cas)?;
        number += requests.len() as u32;
    }
    binary::check(&Exchange {
        sent: &sent,
        received: &received,
        closed,
    });
    Ok(())
}

/// Some requests; more often than not the last batch ends with one that closes.
fn batch_of(choices: &mut Choices<'_>, batch: usize) -> Vec<Request> {
    let count = 1 + choices.below(24);
    let mut requests: Vec<Request> = (0..count).map(|_| request(choices)).collect();
    if batch + 1 == BATCHES && !choices.one_in(3) {
        requests.push(last_request(choices));
    }
    requests
}

/// The bytes for one of the two servers, marker included: each gets the cas uniques that it gave.
fn filled(requests: &[Request], first: u32, cas: &CasPairs, side: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (opaque, request) in (first..).zip(requests) {
        let (theirs, ours) = cas.last(&request.key);
        request.write(&mut bytes, opaque, [theirs, ours][side]);
    }
    Request::noop().write(&mut bytes, MARKER, 0);
    bytes
}

/// Whether the replies end with that to the marker, which is a header alone.
fn has_marker(replies: &[u8]) -> bool {
    let header = replies.last_chunk::<24>();
    header
        .is_some_and(|header| header[..2] == [0x81, 0x0a] && header[12..16] == MARKER.to_be_bytes())
}

fn compare(
    requests: &[Request],
    first: u32,
    answers: &[(Vec<u8>, End); 2],
    cas: &mut CasPairs,
) -> Result<(), String> {
    let [theirs, ours] = [0, 1].map(|side| packets(&answers[side].0));
    for at in 0..theirs.len().max(ours.len()) {
        let pair = (theirs.get(at), ours.get(at));
        let request = pair.0.or(pair.1).and_then(|reply| {
            let at = reply.opaque.checked_sub(first)?;
            requests.get(at as usize)
        });
        let key = request.map_or(&b""[..], |request| &request.key);
        let alike = matches!(pair, (Some(theirs), Some(ours)) if same(cas, key, theirs, ours));
        if !alike {
            let [theirs, ours] = [pair.0, pair.1].map(|reply| reply.map(Packet::show));
            let request = request
                .map(|request| (request.opcode, key.escape_ascii().to_string(), request.cas));
            return Err(format!(
                "to {request:?}\nmemcached: {theirs:?}\ncorecached: {ours:?}"
            ));
        }
    }
    let ends = [answers[0].1, answers[1].1];
    if ends[0] != ends[1] || ends[1] == End::Silent {
        let last = requests.last().map(|request| request.opcode);
        return Err(format!(
            "after {last:?} memcached and corecached are {ends:?}"
        ));
    }
    Ok(())
}

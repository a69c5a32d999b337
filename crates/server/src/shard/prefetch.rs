//! The keys that the events of a turn will look up are guessed, and their items prefetched together.

use corecached_engine::Engine;
use corecached_protocol::{Codec, binary, udp};
use corecached_reactor::Event;

use super::Net;

/// Events whose items are prefetched together.
pub(super) const PREFETCHED_EVENTS: usize = 32;
/// Received bytes beyond this number are taken for a pipeline, which looks ahead by itself (`conn/ahead.rs`).
const SINGLE_REQUEST_BYTES: usize = 512;

impl Net {
    /// Prefetches the leaves, buckets and items that the requests in `events` will look up. With one request from each
    /// of many connections, their cache misses overlap as those of one pipeline do.
    pub(super) fn prefetch(&self, events: &[Event], engine: &Engine) {
        if events.len() < 2 {
            return;
        }
        let readers = &self.shared.readers;
        let mut ahead = [None; PREFETCHED_EVENTS];
        let mut count = 0;
        for event in events {
            let bytes = match event {
                Event::Received { buf, .. } => self.reactor.bytes(buf),
                Event::Datagram { buf, .. } => match self.reactor.datagram(buf) {
                    Some((_, bytes)) => bytes.get(udp::HEADER_BYTES..).unwrap_or_default(),
                    None => continue,
                },
                _ => continue,
            };
            let Some(key) = first_key(bytes) else {
                continue;
            };
            let hash = self.shared.globals.hasher.hash(key);
            let owner = self.shared.route.owner_of(hash);
            readers.prefetch_leaf(owner, hash);
            ahead[count] = Some((owner, hash));
            count += 1;
        }
        let (own, ahead) = ((self.id, engine), &ahead[..count]);
        for &(owner, hash) in ahead.iter().flatten() {
            readers.prefetch_bucket(owner, hash, own);
        }
        for &(owner, hash) in ahead.iter().flatten() {
            readers.prefetch_item(owner, hash, own);
        }
    }
}

/// The probable key of the request in `bytes`: its second word, or the part of a packet that its header says is the
/// key. A wrong guess costs a useless prefetch.
fn first_key(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.len() > SINGLE_REQUEST_BYTES || bytes.first()? < &b' ' {
        return None;
    }
    if Codec::detect(*bytes.first()?) == Codec::Binary {
        return binary::first_key(bytes);
    }
    let after_word = &bytes[memchr::memchr(b' ', bytes)? + 1..];
    let end = after_word.iter().position(|&byte| byte <= b' ')?;
    Some(&after_word[..end])
}

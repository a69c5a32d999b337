//! Replies in request order, whatever order they come in.

use super::*;

/// A small xorshift, seeded, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Writes `text`, with an insert in its middle whose cookie is its place in the text.
fn write(out: &mut Outgoing, text: &str) {
    out.bytes.extend_from_slice(text.as_bytes());
    let at = out.bytes.len() - text.len() / 2;
    let cookie = text.len() as u64;
    // SAFETY: the insert is never sent, so its memory is never read.
    let insert = unsafe { Insert::whole(at, std::ptr::null(), 1, cookie) };
    out.inserts.push(insert);
}

/// The bytes with `<n>` at the place of each insert.
fn show(out: &Outgoing) -> String {
    let mut shown = String::new();
    let mut from = 0;
    for insert in &out.inserts {
        shown += std::str::from_utf8(&out.bytes[from..insert.at()]).expect("tests write text");
        shown += &format!("<{}>", insert.cookie());
        from = insert.at();
    }
    shown + std::str::from_utf8(&out.bytes[from..]).expect("tests write text")
}

#[test]
fn replies_leave_in_request_order_whatever_order_they_come_in() {
    for seed in 1..200 {
        let mut random = Random(seed);
        let (mut replies, mut buffers) = (Replies::default(), ReplyBuffers::default());
        let (mut expected, mut sent) = (String::new(), String::new());
        let mut awaited: Vec<(ReplySeq, String)> = Vec::new();
        let alone = |text: &str| {
            let mut out = Outgoing::default();
            write(&mut out, text);
            out
        };
        for request in 0..60 {
            let text = format!("reply {request};").repeat(1 + random.below(3) as usize);
            expected += &show(&alone(&text));
            if random.below(2) == 0 {
                replies.write(&mut buffers, |out| write(out, &text));
            } else {
                awaited.push((replies.expect(), text));
            }
            while !awaited.is_empty() && random.below(3) == 0 {
                let (seq, text) = awaited.swap_remove(random.below(awaited.len() as u64) as usize);
                let mut reply = alone(&text);
                replies.fulfil(seq, &mut buffers, ReplySlice::all(&mut reply));
            }
            if random.below(4) == 0 {
                sent += &show(&replies.take_ready());
            }
        }
        for (seq, text) in awaited {
            let mut reply = alone(&text);
            replies.fulfil(seq, &mut buffers, ReplySlice::all(&mut reply));
        }
        sent += &show(&replies.take_ready());
        assert_eq!(sent, expected, "seed {seed}");
        assert_eq!(
            (replies.outstanding(), replies.queued_bytes()),
            (0, 0),
            "seed {seed}"
        );
    }
}

#[test]
fn what_is_abandoned_names_every_insert_once() {
    let mut replies = Replies::default();
    replies.write(&mut ReplyBuffers::default(), |out| write(out, "a"));
    let first = replies.expect();
    replies.write(&mut ReplyBuffers::default(), |out| write(out, "bb"));
    let second = replies.expect();
    replies.write(&mut ReplyBuffers::default(), |out| write(out, "ccc"));
    let mut reply = Outgoing::default();
    write(&mut reply, "dddd");
    replies.fulfil(
        first,
        &mut ReplyBuffers::default(),
        ReplySlice::all(&mut reply),
    );
    let mut lengths: Vec<u64> = replies
        .abandon()
        .iter()
        .map(Insert::cookie)
        .filter(|&cookie| cookie != 0)
        .collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 2, 3, 4]);
    assert_eq!(second, ReplySeq(1 + 1));
}

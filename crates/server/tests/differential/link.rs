//! A connection that sends a batch in pieces and reads all replies to it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use corecached_fuzz::Choices;

/// Where a batch is cut, and whether the server gets time to look at a piece before the next one comes.
#[derive(Clone, Debug)]
pub(crate) struct Cuts {
    /// In thousandths of the batch, ascending.
    at: Vec<usize>,
    /// Whether there is a pause at a cut.
    pause: bool,
}

impl Cuts {
    /// Up to six pieces.
    pub(crate) fn random(choices: &mut Choices<'_>) -> Cuts {
        let count = choices.below(6);
        let mut at: Vec<usize> = (0..count).map(|_| choices.below(1000)).collect();
        at.sort_unstable();
        Cuts {
            at,
            pause: choices.one_in(2),
        }
    }
}

/// A connection.
pub(crate) struct Link {
    stream: TcpStream,
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All replies are there.
    Complete,
    /// The server closed.
    Closed,
    /// The server had nothing more to say, for long.
    Silent,
}

impl Link {
    /// A connection over `stream`.
    pub(crate) fn over(stream: TcpStream) -> Link {
        Link { stream }
    }

    /// Sends `batch` and returns everything that comes back, until `is_end` holds for it.
    pub(crate) fn exchange(
        &mut self,
        batch: &[u8],
        cuts: &Cuts,
        is_end: impl Fn(&[u8]) -> bool + Send,
    ) -> (Vec<u8>, End) {
        let mut reader = self.stream.try_clone().expect("a descriptor is free");
        thread::scope(|scope| {
            let replies = scope.spawn(move || read_until(&mut reader, is_end));
            self.send(batch, cuts);
            replies.join().expect("the reader does not panic")
        })
    }

    /// A server that closes in the middle of the batch makes writing fail; what it has said is read all the same.
    fn send(&mut self, batch: &[u8], cuts: &Cuts) {
        let mut from = 0;
        let ends = cuts.at.iter().map(|at| batch.len() * at / 1000);
        for end in ends.chain([batch.len()]) {
            if self.stream.write_all(&batch[from..end]).is_err() {
                return;
            }
            from = end;
            if cuts.pause {
                thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

fn read_until(stream: &mut TcpStream, is_end: impl Fn(&[u8]) -> bool) -> (Vec<u8>, End) {
    let mut replies = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    while !is_end(&replies) {
        match stream.read(&mut piece) {
            Ok(0) => return (replies, End::Closed),
            Ok(count) => replies.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return (replies, End::Closed);
            }
            Err(_) => return (replies, End::Silent),
        }
    }
    (replies, End::Complete)
}

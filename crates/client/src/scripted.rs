//! A server that follows a script, for examples and tests: it expects certain bytes, and answers with certain bytes.
//!
//! ```text
//!   then("mg k v f O0\r\n", "EN O0\r\n")   reads exactly the first, then sends the second
//!   then_silence("mg k ...")               reads, and says nothing
//!   then_close("...")                      reads, and closes the connection
//! ```
//!
//! The server handles one connection after the other, on a thread of its own, and ends with its script. A request that
//! differs from the script is answered with a line that says so, which no client understands.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

#[derive(Debug)]
enum Then {
    Answer(Vec<u8>),
    Silence,
    Close,
}

/// A script: the expected bytes, and the answers to them.
#[derive(Debug, Default)]
pub struct Script {
    steps: Vec<(Vec<u8>, Then)>,
}

impl Script {
    /// An empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects bytes and answers.
    #[must_use]
    pub fn then(self, expected: impl AsRef<[u8]>, answer: impl AsRef<[u8]>) -> Self {
        self.step(expected, Then::Answer(answer.as_ref().to_vec()))
    }

    /// Expects bytes, and sends nothing more on this connection.
    #[must_use]
    pub fn then_silence(self, expected: impl AsRef<[u8]>) -> Self {
        self.step(expected, Then::Silence)
    }

    /// Expects bytes and closes the connection; the following steps are the script of the next connection.
    #[must_use]
    pub fn then_close(self, expected: impl AsRef<[u8]>) -> Self {
        self.step(expected, Then::Close)
    }

    fn step(mut self, expected: impl AsRef<[u8]>, then: Then) -> Self {
        self.steps.push((expected.as_ref().to_vec(), then));
        self
    }

    /// Starts the server, on a port of 127.0.0.1 that is free.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub fn serve(self) -> std::io::Result<Scripted> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || follow(&listener, self.steps));
        Ok(Scripted { address })
    }
}

/// A server that follows a script.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
}

impl Scripted {
    /// The address at which the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn follow(listener: &TcpListener, steps: Vec<(Vec<u8>, Then)>) {
    let mut open: Option<TcpStream> = None;
    let mut silent = Vec::new();
    for (expected, then) in steps {
        let mut stream = match open.take() {
            Some(stream) => stream,
            None => match listener.accept() {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
        };
        let mut got = vec![0; expected.len()];
        let read = stream.read_exact(&mut got);
        let answered = match then {
            _ if read.is_err() || got != expected => {
                let text = format!(
                    "SCRIPT expected {:?}\r\n",
                    expected.escape_ascii().to_string()
                );
                // The client sees the line, or is gone.
                let _ = stream.write_all(text.as_bytes());
                Ok(())
            }
            Then::Answer(bytes) => {
                let answered = stream.write_all(&bytes);
                open = Some(stream);
                answered
            }
            Then::Silence => {
                silent.push(stream);
                Ok(())
            }
            Then::Close => Ok(()),
        };
        if answered.is_err() {
            return;
        }
    }
    // The last connections stay open until the client is gone, for a while at most.
    for mut stream in silent.into_iter().chain(open) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        let _ = stream.read(&mut [0]);
    }
}
